//! The kernel structure members the programs read.
//!
//! rustc emits no CO-RE relocations, so the collector resolves each member in the running kernel's BTF and
//! hands the offsets over as a read-only global, one word per [`Member`]. A program asks for a member by its
//! id; one that the kernel does not have reads as 0, like what cannot be read.

use crate::pm::power;

/// Value of a member that this kernel does not have, or has with another type.
pub const MISSING: u32 = u32::MAX;

/// What kind of place a member is; BTF must agree or the member counts as missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A pointer.
    Pointer,
    /// An integer, enum or `atomic_t` of 4 bytes.
    Word,
    /// An integer or `atomic_long_t` of 8 bytes.
    Long,
    /// An array of `char`, or a `u8` array: at least this many bytes.
    Bytes(u32),
    /// A structure embedded here; only its address is used.
    Embedded,
    /// A bit field of one bit. The word handed over counts bits, not bytes.
    Bit,
}

/// Where a member is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the structure.
    pub structure: &'static str,
    /// Path of the member in it, joined by dots; anonymous unions and structures are looked through.
    pub path: &'static str,
    /// Module whose BTF has the structure if the kernel image's has not; empty for none.
    pub module: &'static str,
    /// What it has to be.
    pub shape: Shape,
}

macro_rules! members {
    ($( $name:ident = $structure:literal $path:literal $shape:expr $(, in $module:literal)? ; )+) => {
        /// A member of a kernel structure.
        #[repr(u16)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Member { $( #[doc = concat!("`", $structure, ".", $path, "`")] $name ),+ }

        impl Member {
            /// Every member, in the order of the words handed over.
            pub const ALL: &'static [Member] = &[$( Member::$name ),+];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Where the member is declared.
            pub const fn place(self) -> Place {
                match self {
                    $( Member::$name => Place {
                        structure: $structure, path: $path, module: concat!($($module)?), shape: $shape,
                    } ),+
                }
            }
        }
    };
}

members! {
    DeviceName = "device" "kobj.name" Shape::Pointer;
    DeviceParent = "device" "parent" Shape::Pointer;
    DeviceBus = "device" "bus" Shape::Pointer;
    DeviceClass = "device" "class" Shape::Pointer;
    DeviceDriver = "device" "driver" Shape::Pointer;
    DeviceMutex = "device" "mutex" Shape::Embedded;
    DeviceSuppliers = "device" "links.suppliers" Shape::Embedded;
    DevicePmCompletion = "device" "power.completion" Shape::Embedded;
    DevicePrepared = "device" "power.is_prepared" Shape::Bit;
    DeviceSuspended = "device" "power.is_suspended" Shape::Bit;
    DeviceLateSuspended = "device" "power.is_late_suspended" Shape::Bit;
    DeviceNoirqSuspended = "device" "power.is_noirq_suspended" Shape::Bit;
    DeviceAsync = "device" "power.async_suspend" Shape::Bit;
    DeviceDirectComplete = "device" "power.direct_complete" Shape::Bit;
    DeviceIgnoreChildren = "device" "power.ignore_children" Shape::Bit;
    DeviceSyscore = "device" "power.syscore" Shape::Bit;
    DeviceRuntimeStatus = "device" "power.runtime_status" Shape::Word;
    BusName = "bus_type" "name" Shape::Pointer;
    ClassName = "class" "name" Shape::Pointer;
    DriverName = "device_driver" "name" Shape::Pointer;
    LinkSupplier = "device_link" "supplier" Shape::Pointer;
    LinkSupplierNode = "device_link" "c_node" Shape::Embedded;
    LinkStatus = "device_link" "status" Shape::Word;
    LinkFlags = "device_link" "flags" Shape::Word;
    MutexOwner = "mutex" "owner" Shape::Long;
    RwsemOwner = "rw_semaphore" "owner" Shape::Long;
    RtMutexOwner = "rt_mutex_base" "owner" Shape::Pointer;
    RwbaseMutex = "rwbase_rt" "rtmutex" Shape::Embedded;
    TaskTid = "task_struct" "pid" Shape::Word;
    TaskTgid = "task_struct" "tgid" Shape::Word;
    TaskComm = "task_struct" "comm" Shape::Bytes(16);
    TaskState = "task_struct" "__state" Shape::Word;
    QueueData = "request_queue" "queuedata" Shape::Pointer;
    QueuePmOnly = "request_queue" "pm_only" Shape::Word;
    RequestTimeout = "request" "timeout" Shape::Word;
    QueueFreezeDepth = "request_queue" "mq_freeze_depth" Shape::Word;
    WorkFunction = "work_struct" "func" Shape::Pointer;
    DelayedWork = "delayed_work" "work" Shape::Embedded;
    PoolWorkqueue = "pool_workqueue" "wq" Shape::Pointer;
    WorkqueueName = "workqueue_struct" "name" Shape::Bytes(24);
    WorkqueueFlags = "workqueue_struct" "flags" Shape::Word;
    WorkqueueMaxActive = "workqueue_struct" "saved_max_active" Shape::Word;
    AsyncWork = "async_entry" "work" Shape::Embedded;
    AsyncFunction = "async_entry" "func" Shape::Pointer;
    AsyncData = "async_entry" "data" Shape::Pointer;
    AsyncDomain = "async_entry" "domain" Shape::Pointer;
    SdevQueue = "scsi_device" "request_queue" Shape::Pointer, in "scsi_mod";
    SdevDevice = "scsi_device" "sdev_gendev" Shape::Embedded, in "scsi_mod";
    SdevState = "scsi_device" "sdev_state" Shape::Word, in "scsi_mod";
    ScsiHostNumber = "Scsi_Host" "host_no" Shape::Word, in "scsi_mod";
    CommandDevice = "scsi_cmnd" "device" Shape::Pointer, in "scsi_mod";
    CommandBytes = "scsi_cmnd" "cmnd" Shape::Bytes(1), in "scsi_mod";
    CommandResult = "scsi_cmnd" "result" Shape::Word, in "scsi_mod";
    PortHost = "ata_port" "host" Shape::Pointer, in "libata";
    PortDevice = "ata_port" "tdev" Shape::Embedded, in "libata";
    PortScanMutex = "ata_port" "scsi_scan_mutex" Shape::Embedded, in "libata";
    PortRescanTask = "ata_port" "scsi_rescan_task" Shape::Embedded, in "libata";
    PortNumber = "ata_port" "print_id" Shape::Word, in "libata";
    PortFlags = "ata_port" "pflags" Shape::Word, in "libata";
    AtaHostDevice = "ata_host" "dev" Shape::Pointer, in "libata";
    AtaDeviceLink = "ata_device" "link" Shape::Pointer, in "libata";
    AtaDeviceSdev = "ata_device" "sdev" Shape::Pointer, in "libata";
    AtaLinkPort = "ata_link" "ap" Shape::Pointer, in "libata";
    PreemptCount = "pcpu_hot" "preempt_count" Shape::Word;
    TaskSoftirqs = "task_struct" "softirq_disable_cnt" Shape::Word;
    CompletionDone = "completion" "done" Shape::Word;
}

/// Facts about this kernel that a program cannot read from a structure, handed over with the members.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KernelFacts {
    /// Offset in bytes (bits for [`Shape::Bit`]) of each [`Member`], or [`MISSING`].
    pub members: [u32; Member::COUNT],
    /// Size of `struct request`, behind which its command stands (`blk_mq_rq_to_pdu()`); 0 if it is unknown.
    pub request_size: u32,
    /// 1 if `scsi_rescan_device` takes a `struct scsi_device *`, 0 if a `struct device *`.
    pub rescan_takes_sdev: u32,
}

/// The bits of `dev->power` that programs send: the member, the [`power`] value, and whether diagnosis rests on it.
pub const POWER_BITS: [(Member, u32, bool); 8] = [
    (Member::DeviceSuspended, power::SUSPENDED, true),
    (Member::DeviceLateSuspended, power::LATE_SUSPENDED, true),
    (Member::DeviceNoirqSuspended, power::NOIRQ_SUSPENDED, true),
    // Bits that explain, but that no verdict rests on.
    (Member::DevicePrepared, power::PREPARED, false),
    (Member::DeviceAsync, power::ASYNC, false),
    (Member::DeviceDirectComplete, power::DIRECT_COMPLETE, false),
    (Member::DeviceIgnoreChildren, power::IGNORE_CHILDREN, false),
    (Member::DeviceSyscore, power::SYSCORE, false),
];

/// How far into its structure something is, so that no program has to ask whether it is there: the kernel would remove
/// from each what is never reached, at the price of moving all the rest.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Offset in bytes (bits for [`Shape::Bit`]), or [`MISSING`].
    pub offset: u32,
    /// 1, by which an address is multiplied; 0 if it is missing, which makes NULL of the address.
    pub there: u32,
}

impl Reach {
    /// What is missing.
    pub const NONE: Self = Self { offset: MISSING, there: 0 };

    /// What is at this offset, or [`MISSING`].
    pub const fn of(offset: u32) -> Self {
        Self { offset, there: (offset != MISSING) as u32 }
    }
}

/// Where the bits of `dev->power` are, worked out for the reason of [`Reach`].
///
/// The bits lie close together, so one read of 8 bytes serves them all; a bit that lies elsewhere counts as missing.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerPlaces {
    /// The 8 bytes in `struct device`.
    pub base: Reach,
    /// For each of [`POWER_BITS`]: its place in the 8 bytes, and [`PowerPlaces::PRESENT`]; 0 if it is missing.
    pub bits: [u32; POWER_BITS.len()],
    /// [`power::UNKNOWN`] if one is missing that diagnosis rests on, else 0.
    pub missing: u32,
}

impl PowerPlaces {
    /// Number of the bit that says that a bit is there, above those of its place.
    pub const PRESENT: u32 = 6;

    /// What nothing is known of.
    pub const NONE: Self = Self { base: Reach::NONE, bits: [0; POWER_BITS.len()], missing: power::UNKNOWN };

    /// Works it out.
    pub fn of(facts: &KernelFacts) -> Self {
        let first = facts.members[Member::DeviceSuspended as usize];
        if first == MISSING {
            return Self::NONE;
        }
        // A little before, since it is not the first of them.
        let base = (first / 8).saturating_sub(2);
        let mut places = Self { base: Reach::of(base), bits: [0; POWER_BITS.len()], missing: 0 };
        for (place, (member, _, needed)) in places.bits.iter_mut().zip(POWER_BITS) {
            match facts.members[member as usize].checked_sub(base * 8) {
                Some(bit) if bit < u64::BITS => *place = bit | 1 << Self::PRESENT,
                _ if needed => places.missing = power::UNKNOWN,
                _ => {}
            }
        }
        places
    }
}

/// What is handed over to the programs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Handed {
    /// Where each [`Member`] is.
    pub members: [Reach; Member::COUNT],
    /// [`KernelFacts::request_size`]
    pub request_size: u32,
    /// [`KernelFacts::rescan_takes_sdev`]
    pub rescan_takes_sdev: u32,
    /// Where the bits of `dev->power` are.
    pub power: PowerPlaces,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(bits: &[(Member, u32)]) -> KernelFacts {
        let mut facts =
            KernelFacts { members: [MISSING; Member::COUNT], request_size: 0, rescan_takes_sdev: 0 };
        for &(member, bit) in bits {
            facts.members[member as usize] = bit;
        }
        facts
    }

    #[test]
    fn bits_of_power_are_found_in_the_eight_bytes_around_them() {
        let known = [
            (Member::DeviceSuspended, 804),
            (Member::DeviceLateSuspended, 806),
            (Member::DeviceNoirqSuspended, 805),
            (Member::DevicePrepared, 785),
            (Member::DeviceAsync, 783),
            (Member::DeviceSyscore, 784 + 64),
        ];
        let places = PowerPlaces::of(&facts(&known));
        let there = |bit: u32| bit | 1 << PowerPlaces::PRESENT;
        assert_eq!(places.base, Reach { offset: 98, there: 1 });
        // Those just before and behind the 8 bytes, and those this kernel does not have, count as missing.
        assert_eq!(places.bits, [there(20), there(22), there(21), there(1), 0, 0, 0, 0]);
        assert_eq!(places.missing, 0);
    }

    #[test]
    fn power_is_unknown_where_a_bit_is_missing_that_diagnosis_rests_on() {
        let partly = [(Member::DeviceSuspended, 3), (Member::DeviceLateSuspended, 4)];
        let places = PowerPlaces::of(&facts(&partly));
        assert_eq!((places.base.offset, places.missing), (0, power::UNKNOWN));
        assert_eq!(PowerPlaces::of(&facts(&[(Member::DeviceLateSuspended, 4)])), PowerPlaces::NONE);
    }
}
