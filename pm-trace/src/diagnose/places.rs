//! What a stack says about a wait that no event names.
//!
//! A table of the kernel's functions that sleep for something well known. The innermost one that a stack shows
//! counts.

use super::finding::PartyKind;

/// A function that waits.
pub(crate) struct Place {
    /// Names of functions that mean the same.
    functions: &'static [&'static str],
    /// Which kind of thing is waited for.
    pub(crate) kind: PartyKind,
    /// What is waited for.
    pub(crate) what: &'static str,
    /// What to look at or to do, if that is all there is to say.
    pub(crate) advice: &'static str,
}

const LOOK: &str = "";

const fn place(
    functions: &'static [&'static str],
    kind: PartyKind,
    what: &'static str,
    advice: &'static str,
) -> Place {
    Place { functions, kind, what, advice }
}

const PLACES: &[Place] = &[
    place(
        &[
            "msleep",
            "usleep_range",
            "usleep_range_state",
            "schedule_timeout_uninterruptible",
            "fsleep",
            "ssleep",
        ],
        PartyKind::Delay,
        "a delay",
        "The callback sleeps for a fixed time. Make the device's driver asynchronous \
         (device_enable_async_suspend()) so that only its own descendants and consumers wait, or move the wait out \
         of the callback.",
    ),
    place(
        &["scsi_block_when_processing_errors"],
        PartyKind::ErrorHandling,
        "error recovery of the SCSI host",
        "The host's error handler has not finished; its thread scsi_eh_N says what it does.",
    ),
    place(
        &["ata_port_wait_eh", "ata_msleep"],
        PartyKind::ErrorHandling,
        "error handling of an ATA port",
        "Error handling of the port has not finished: look at link resets and at commands that time out.",
    ),
    place(
        &["__pm_runtime_barrier", "pm_runtime_barrier", "rpm_resume", "rpm_suspend", "__pm_runtime_resume"],
        PartyKind::RuntimePm,
        "runtime PM of a device",
        "Another task resumes or suspends the device by runtime PM; look at what that task waits for.",
    ),
    place(
        &["_request_firmware", "request_firmware", "fw_load_sysfs_fallback", "kernel_read_file_from_path"],
        PartyKind::Unknown,
        "firmware to be loaded",
        "User space and disks may be asleep: cache the firmware (fw_cache) or load it before the suspend.",
    ),
    place(
        &["call_usermodehelper_exec", "__usermodehelper_disable", "usermodehelper_read_lock_wait"],
        PartyKind::Unknown,
        "a helper program in user space",
        "User space is frozen until the transition ends: no helper can run. Do not call one from a PM callback.",
    ),
    place(
        &["__flush_workqueue", "flush_workqueue", "drain_workqueue"],
        PartyKind::Work,
        "every work of a workqueue",
        "One of the works on the queue does not end. Flush only the work that matters, or cancel it in suspend.",
    ),
    place(
        &[
            "blk_mq_freeze_queue_wait",
            "blk_mq_freeze_queue",
            "blk_freeze_queue_start",
            "blk_mq_freeze_queue_nomemsave",
        ],
        PartyKind::Queue,
        "a request queue to run empty",
        "A request of the queue has not completed; it cannot while its device is suspended.",
    ),
    place(
        &["blk_mq_get_tag", "blk_mq_sched_mark_restart_hctx", "sbitmap_queue_get"],
        PartyKind::Queue,
        "a free tag of a request queue",
        "Every tag is taken by a request that has not completed.",
    ),
    place(
        &["nvme_wait_freeze", "nvme_wait_freeze_timeout", "nvme_sync_queues", "nvme_sync_io_queues"],
        PartyKind::Hardware,
        "an NVMe controller's queues",
        "Commands of the controller have not completed; look at its reset and at its timeouts.",
    ),
    place(
        &["usb_start_wait_urb", "usb_kill_urb", "usb_control_msg", "usb_bulk_msg"],
        PartyKind::Hardware,
        "a USB transfer",
        "The USB device or its host controller does not answer.",
    ),
    place(
        &[
            "hub_port_reset",
            "hub_port_debounce",
            "usb_port_resume",
            "wait_for_connected",
            "finish_port_resume",
        ],
        PartyKind::Hardware,
        "a USB port to come back",
        "The device behind the port does not come back; a quirk (USB_QUIRK_RESET_RESUME) may be needed.",
    ),
    place(
        &[
            "xhci_configure_endpoint",
            "xhci_address_device",
            "xhci_setup_device",
            "xhci_handshake",
            "xhci_reset",
        ],
        PartyKind::Hardware,
        "an xHCI controller",
        "The controller does not complete a command; look at its restore and at its errata.",
    ),
    place(
        &[
            "dma_fence_wait_timeout",
            "dma_fence_default_wait",
            "dma_resv_wait_timeout",
            "drm_atomic_helper_wait_for_fences",
        ],
        PartyKind::Hardware,
        "a fence of a graphics engine",
        "The engine does not signal the fence; it may have to be reset before the display is restored.",
    ),
    place(
        &[
            "drm_atomic_helper_wait_for_vblanks",
            "drm_atomic_helper_wait_for_flip_done",
            "drm_wait_one_vblank",
        ],
        PartyKind::Hardware,
        "a display's vertical blank",
        "The display does not deliver its interrupts.",
    ),
    place(
        &["synchronize_rcu", "synchronize_rcu_expedited", "synchronize_srcu", "__wait_rcu_gp", "rcu_barrier"],
        PartyKind::Unknown,
        "an RCU grace period",
        "A CPU or a reader does not pass through a quiescent state.",
    ),
    place(
        &["wait_for_device_probe", "driver_deferred_probe_check_state", "__device_attach"],
        PartyKind::Unknown,
        "drivers to finish probing",
        "A driver's probe has not ended. Works that probe should not run during a transition.",
    ),
    place(
        &[
            "pciehp_reset_slot",
            "pcie_wait_for_link_delay",
            "pci_bridge_wait_for_secondary_bus",
            "pci_dev_wait",
        ],
        PartyKind::Hardware,
        "a PCI device to come back",
        "The device does not answer after D3cold or a reset.",
    ),
    place(
        &[
            "acpi_ex_system_wait_semaphore",
            "acpi_ex_acquire_mutex",
            "acpi_os_wait_semaphore",
            "acpi_ec_transaction",
        ],
        PartyKind::Hardware,
        "the firmware (ACPI)",
        "An ACPI method does not end; ec_no_wakeup or a firmware update may help.",
    ),
    place(
        &["i2c_transfer", "__i2c_transfer", "ps2_command", "serio_raw_write"],
        PartyKind::Hardware,
        "a transfer on a slow bus",
        "The device behind the bus does not answer.",
    ),
    place(
        &[
            "wait_on_page_bit_common",
            "folio_wait_bit_common",
            "__wait_on_buffer",
            "submit_bio_wait",
            "bit_wait_io",
        ],
        PartyKind::Hardware,
        "a disk",
        "I/O in a PM callback: the disk may be suspended. Prepare what is needed in .prepare().",
    ),
    place(&["kthread_park", "kthread_stop"], PartyKind::Task, "a kernel thread to stop", LOOK),
];

/// What a wait in this function is for.
pub(crate) fn named(function: &str) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.functions.contains(&function))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first that fits counts, so a second one would never be found.
    #[test]
    fn no_function_stands_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for function in PLACES.iter().flat_map(|place| place.functions) {
            assert!(seen.insert(function), "{function}");
        }
    }
}
