// SPDX-License-Identifier: GPL-2.0
/*
 * slow_supplier - hold back the resume of one SCSI device
 *
 * Registers a platform device whose resume callback sleeps, and makes it the
 * device-link supplier of the SCSI device named by a parameter. The PM core
 * then resumes that SCSI device only after the callback has returned, while
 * everything else, libata's error handling included, goes on. A slow dock,
 * hub or power domain does the same to real machines.
 *
 * The link is stateless: it orders suspend and resume and nothing else.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/device.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <scsi/scsi_device.h>
#include <scsi/scsi_host.h>

static char *device = "1:0:0:0";
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "host:channel:target:lun of the SCSI device to hold back");

static unsigned int delay_ms = 3000;
module_param(delay_ms, uint, 0644);
MODULE_PARM_DESC(delay_ms, "how long each resume takes, in milliseconds");

static unsigned int suspend_ms;
module_param(suspend_ms, uint, 0644);
MODULE_PARM_DESC(suspend_ms, "how long each suspend takes, in milliseconds");

static struct platform_device *supplier;
static struct scsi_device *consumer;
static struct device_link *link;

static int slow_supplier_suspend(struct device *dev)
{
	msleep(suspend_ms);
	return 0;
}

static int slow_supplier_resume(struct device *dev)
{
	msleep(delay_ms);
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(slow_supplier_pm_ops, slow_supplier_suspend, slow_supplier_resume);

static int slow_supplier_probe(struct platform_device *pdev)
{
	return 0;
}

static struct platform_driver slow_supplier_driver = {
	.probe = slow_supplier_probe,
	.driver = {
		.name = KBUILD_MODNAME,
		.pm = pm_sleep_ptr(&slow_supplier_pm_ops),
	},
};

/* The SCSI device that the parameter names, with a reference, or NULL. */
static struct scsi_device *find_device(void)
{
	unsigned int host, channel, target;
	struct scsi_device *sdev;
	struct Scsi_Host *shost;
	u64 lun;

	if (sscanf(device, "%u:%u:%u:%llu", &host, &channel, &target, &lun) != 4)
		return NULL;
	shost = scsi_host_lookup(host);
	if (!shost)
		return NULL;
	sdev = scsi_device_lookup(shost, channel, target, lun);
	scsi_host_put(shost);
	return sdev;
}

static int __init slow_supplier_init(void)
{
	int ret;

	consumer = find_device();
	if (!consumer) {
		pr_err("no SCSI device %s\n", device);
		return -ENODEV;
	}

	ret = platform_driver_register(&slow_supplier_driver);
	if (ret)
		goto put_consumer;

	supplier = platform_device_register_simple(KBUILD_MODNAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(supplier)) {
		ret = PTR_ERR(supplier);
		goto unregister_driver;
	}

	link = device_link_add(&consumer->sdev_gendev, &supplier->dev, DL_FLAG_STATELESS);
	if (!link) {
		pr_err("no device link to %s\n", device);
		ret = -EINVAL;
		goto unregister_device;
	}

	pr_info("holding back the resume of %s by %u ms\n", device, delay_ms);
	return 0;

unregister_device:
	platform_device_unregister(supplier);
unregister_driver:
	platform_driver_unregister(&slow_supplier_driver);
put_consumer:
	scsi_device_put(consumer);
	return ret;
}

static void __exit slow_supplier_exit(void)
{
	device_link_del(link);
	platform_device_unregister(supplier);
	platform_driver_unregister(&slow_supplier_driver);
	scsi_device_put(consumer);
}

module_init(slow_supplier_init);
module_exit(slow_supplier_exit);

MODULE_DESCRIPTION("Holds back the resume of one SCSI device, for pm-trace's lab");
MODULE_LICENSE("GPL");
