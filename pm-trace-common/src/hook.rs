//! The hooks: each is a meaning ("a device's resume starts") with one eBPF program. Where a hook is put on
//! a given kernel is the collector's business (`pm-trace/src/capture/hooks.rs`).

macro_rules! hooks {
    ($( $name:ident => $program:literal ),+ $(,)?) => {
        /// A hook. Its number indexes the map `COUNTERS`.
        #[repr(u16)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Hook {
            $( #[doc = concat!("Program `", $program, "`.")] $name ),+
        }

        impl Hook {
            /// Every hook, in order of number.
            pub const ALL: &'static [Hook] = &[$( Hook::$name ),+];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Name of its eBPF program.
            pub const fn program(self) -> &'static str {
                match self { $( Hook::$name => $program ),+ }
            }

            /// The hook with this number.
            pub fn from_index(index: u16) -> Option<Hook> {
                Self::ALL.get(usize::from(index)).copied()
            }
        }
    };
}

hooks! {
    Phase => "phase",
    Suspend => "suspend",
    Resume => "resume",
    CallbackStart => "callback_start",
    CallbackEnd => "callback_end",
    WaitSuperior => "wait_superior",
    WaitSubordinate => "wait_subordinate",
    WaitForDev => "wait_for_dev",
    LockBegin => "lock_begin",
    LockEnd => "lock_end",
    WaitCompletion => "wait_completion",
    WaitCompletionTimeout => "wait_completion_timeout",
    WaitCompletionIo => "wait_completion_io",
    WaitCompletionIoTimeout => "wait_completion_io_timeout",
    Complete => "complete",
    CompleteAll => "complete_all",
    QueueEnter => "queue_enter",
    BioQueueEnter => "bio_queue_enter",
    FlushWork => "flush_work",
    AsyncSynchronize => "async_synchronize",
    WorkQueue => "work_queue",
    WorkDelay => "work_delay",
    WorkStart => "work_start",
    WorkEnd => "work_end",
    AsyncRun => "async_run",
    AtaPortResume => "ata_port_resume",
    AtaRequestPm => "ata_request_pm",
    AtaEh => "ata_eh",
    AtaEhPortResume => "ata_eh_port_resume",
    AtaEhRecover => "ata_eh_recover",
    AtaRevalidate => "ata_revalidate",
    AtaRescan => "ata_rescan",
    AtaWaitEh => "ata_wait_eh",
    ScsiRescan => "scsi_rescan",
    ScsiQuiesce => "scsi_quiesce",
    ScsiResume => "scsi_resume",
    ScsiResumeDevice => "scsi_resume_device",
    ScsiExecute => "scsi_execute",
    ScsiDispatch => "scsi_dispatch",
    ScsiDone => "scsi_done",
    ScsiTimeout => "scsi_timeout",
    ScsiEhWakeup => "scsi_eh_wakeup",
    SchedSwitch => "sched_switch",
    TaskSnapshot => "task_snapshot",
    RuntimeResume => "runtime_resume",
    RuntimeSuspend => "runtime_suspend",
    RuntimeReturn => "runtime_return",
    FlushWorkOuter => "flush_work_outer",
    AtaHardresetBegin => "ata_hardreset_begin",
    AtaHardresetEnd => "ata_hardreset_end",
    AtaSoftresetBegin => "ata_softreset_begin",
    AtaSoftresetEnd => "ata_softreset_end",
    WakeupActivate => "wakeup_activate",
    WakeupDeactivate => "wakeup_deactivate",
}
