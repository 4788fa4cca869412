// SPDX-License-Identifier: GPL-2.0
/*
 * pmlab - lockups, stalls and races of a resume, on demand
 *
 * Registers a few platform devices whose resume callbacks do what the
 * parameter "shape" says. Shapes whose name ends in "-clean" do the same work
 * in a correct order. Every lockup is let go after "release_after_ms", so that
 * one boot can show them all: sleeps are killable, completions are completed.
 * Nothing but the end of a lockup depends on that.
 *
 *   pmlab-parent   pmlab-child (its child)
 *   pmlab-supplier pmlab-consumer (by a stateless device link)
 *   pmlab-a        pmlab-b        pmlab-rpm (with runtime PM): unrelated
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/async.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/pm_runtime.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/workqueue.h>

static char shape[32] = "none";
module_param_string(shape, shape, sizeof(shape), 0644);
MODULE_PARM_DESC(shape, "what the next resume is to look like");

static char shapes[768];
module_param_string(shapes, shapes, sizeof(shapes), 0644);
MODULE_PARM_DESC(shapes, "shapes of the next resumes, one a suspend: SHAPE or SHAPE:DELAY_MS, with blanks between");

static unsigned int release_after_ms = 4000;
module_param(release_after_ms, uint, 0644);
MODULE_PARM_DESC(release_after_ms, "when a lockup is let go, in milliseconds");

static unsigned int delay_ms = 300;
module_param(delay_ms, uint, 0644);
MODULE_PARM_DESC(delay_ms, "how long slow callbacks take, or by how much a race is won, in milliseconds");

/* How long b takes beside a in the shape "slow-two": what a takes beyond that, the resume takes longer. */
#define SLOW_TWO_B_MS 400

enum role { PARENT, CHILD, SUPPLIER, CONSUMER, A, B, RPM, ROLES };

static const struct platform_device_id roles[] = {
	{ "pmlab-parent", PARENT }, { "pmlab-child", CHILD },
	{ "pmlab-supplier", SUPPLIER }, { "pmlab-consumer", CONSUMER },
	{ "pmlab-a", A }, { "pmlab-b", B }, { "pmlab-rpm", RPM },
	{ }
};

static struct platform_device *devices[ROLES];
static struct device_link *link;
static struct workqueue_struct *ordered;

static DEFINE_MUTEX(first_lock);
static DEFINE_MUTEX(second_lock);
static DECLARE_RWSEM(semaphore);
static DECLARE_COMPLETION(never);
static ASYNC_DOMAIN_EXCLUSIVE(domain);
static bool a_is_there, b_is_there, b_is_locked;

static struct device *dev_of(enum role role)
{
	return &devices[role]->dev;
}

static enum role role_of(struct device *dev)
{
	return platform_get_device_id(to_platform_device(dev))->driver_data;
}

static bool is_shape(const char *name)
{
	return sysfs_streq(shape, name);
}

/* Each suspend takes the next of the list; without a list, the shape stays. */
static void next_shape(void)
{
	char *delay;
	size_t word;

	memmove(shapes, skip_spaces(shapes), strlen(skip_spaces(shapes)) + 1);
	word = strcspn(shapes, " \t\n");
	if (!word)
		return;
	snprintf(shape, sizeof(shape), "%.*s", (int)word, shapes);
	memmove(shapes, shapes + word, strlen(shapes + word) + 1);
	delay = strchr(shape, ':');
	if (delay) {
		*delay++ = '\0';
		if (kstrtouint(delay, 10, &delay_ms))
			pr_warn("%s: no delay in milliseconds\n", delay);
	}
	pr_info("shape %s, delay %u ms\n", shape, delay_ms);
}

/* ---- letting go ------------------------------------------------------- */

static DEFINE_SPINLOCK(victims_lock);
static struct task_struct *victims[8];

static void release(struct work_struct *work)
{
	unsigned int i;

	spin_lock(&victims_lock);
	for (i = 0; i < ARRAY_SIZE(victims); i++)
		if (victims[i])
			send_sig(SIGKILL, victims[i], 1);
	spin_unlock(&victims_lock);
	complete_all(&never);
	if (is_shape("parent-child"))
		complete_all(&dev_of(CHILD)->power.completion);
	if (is_shape("supplier-consumer"))
		complete_all(&dev_of(CONSUMER)->power.completion);
}
static DECLARE_DELAYED_WORK(release_work, release);

static bool victims_set(struct task_struct *from, struct task_struct *to)
{
	bool done = false;
	unsigned int i;

	spin_lock(&victims_lock);
	for (i = 0; i < ARRAY_SIZE(victims) && !done; i++)
		if (victims[i] == from) {
			victims[i] = to;
			done = true;
		}
	spin_unlock(&victims_lock);
	return done;
}

/* A kernel thread may be killed out of a sleep only if it says so itself. */
static bool may_be_stuck(void)
{
	if (!(current->flags & PF_KTHREAD) || !victims_set(NULL, current)) {
		pr_warn("%s: not in a kernel thread, doing nothing\n", shape);
		return false;
	}
	allow_kernel_signal(SIGKILL);
	return true;
}

static void no_longer_stuck(void)
{
	victims_set(current, NULL);
	flush_signals(current);
	disallow_signal(SIGKILL);
}

static void lock_until_released(struct mutex *lock)
{
	if (!may_be_stuck())
		return;
	if (!mutex_lock_killable(lock))
		mutex_unlock(lock);
	no_longer_stuck();
}

static void write_lock_until_released(struct rw_semaphore *sem)
{
	if (!may_be_stuck())
		return;
	if (!down_write_killable(sem))
		up_write(sem);
	no_longer_stuck();
}

/* Waits for 2 s at least until it is so. */
static bool comes(const bool *what)
{
	int tries = 400;

	while (!READ_ONCE(*what) && tries-- > 0)
		usleep_range(5000, 6000);
	return READ_ONCE(*what);
}

/* Both callbacks are in it, or one is alone: then nothing comes of it. */
static bool meet(bool *mine, const bool *other)
{
	WRITE_ONCE(*mine, true);
	return comes(other);
}

/* ---- works ------------------------------------------------------------ */

static void wants_first_lock(struct work_struct *work)
{
	lock_until_released(&first_lock);
}
static DECLARE_WORK(lock_work, wants_first_lock);

static void does_nothing(struct work_struct *work)
{
}
static DECLARE_WORK(quick_work, does_nothing);

static void resumes_rpm(struct work_struct *work)
{
	pm_runtime_get_sync(dev_of(RPM));
	pm_runtime_put_sync(dev_of(RPM));
}
static DECLARE_WORK(rpm_work, resumes_rpm);

static void completes(struct work_struct *work)
{
	complete_all(&never);
}
static DECLARE_DELAYED_WORK(complete_work, completes);

/* Holds the device lock of b, which b's resume needs, until a's resume has been on for a while. */
static void holds_device_lock(struct work_struct *work)
{
	int tries = 400;

	while (!dev_of(B)->power.is_suspended && tries-- > 0)
		usleep_range(5000, 6000);
	device_lock(dev_of(B));
	WRITE_ONCE(b_is_locked, true);
	comes(&a_is_there);
	msleep(delay_ms);
	device_unlock(dev_of(B));
}
static DECLARE_WORK(device_lock_work, holds_device_lock);

/* Uses b without being ordered after its resume. */
static void uses_b(struct work_struct *work)
{
	pm_runtime_get_sync(dev_of(B));
	pm_runtime_put_sync(dev_of(B));
}
static DECLARE_DELAYED_WORK(use_work, uses_b);

static void waits_for_never(void *data, async_cookie_t cookie)
{
	wait_for_completion(&never);
}

/* ---- callbacks -------------------------------------------------------- */

static void resume_a(struct device *dev)
{
	if (is_shape("abba") || is_shape("abba-clean")) {
		mutex_lock(&first_lock);
		if (is_shape("abba") && meet(&a_is_there, &b_is_there))
			lock_until_released(&second_lock);
		else if (is_shape("abba-clean"))
			msleep(delay_ms);
		mutex_unlock(&first_lock);
	} else if (is_shape("rwsem")) {
		down_read(&semaphore);
		if (meet(&a_is_there, &b_is_there))
			lock_until_released(&first_lock);
		up_read(&semaphore);
	} else if (is_shape("rwsem-writer")) {
		down_write(&semaphore);
		if (meet(&a_is_there, &b_is_there))
			lock_until_released(&first_lock);
		up_write(&semaphore);
	} else if (is_shape("flush") || is_shape("ordered")) {
		struct workqueue_struct *wq = is_shape("flush") ? system_long_wq : ordered;

		mutex_lock(&first_lock);
		queue_work(wq, &lock_work);
		queue_work(wq, &quick_work);
		msleep(100);
		flush_work(is_shape("flush") ? &lock_work : &quick_work);
		mutex_unlock(&first_lock);
	} else if (is_shape("flush-clean")) {
		queue_work(ordered, &lock_work);
		queue_work(ordered, &quick_work);
		flush_work(&quick_work);
	} else if (is_shape("completion") || is_shape("completion-clean")) {
		if (is_shape("completion-clean"))
			schedule_delayed_work(&complete_work, msecs_to_jiffies(delay_ms));
		wait_for_completion(&never);
	} else if (is_shape("async")) {
		async_schedule_domain(waits_for_never, NULL, &domain);
		async_synchronize_full_domain(&domain);
	} else if (is_shape("device-lock")) {
		WRITE_ONCE(a_is_there, true);
	} else if (is_shape("slow") || is_shape("slow-two")) {
		msleep(delay_ms);
	} else if (is_shape("runtime-pm") || is_shape("runtime-pm-clean")) {
		if (is_shape("runtime-pm"))
			mutex_lock(&first_lock);
		else
			device_pm_wait_for_dev(dev, dev_of(RPM));
		queue_work(system_long_wq, &rpm_work);
		msleep(100);
		pm_runtime_get_sync(dev_of(RPM));
		pm_runtime_put_sync(dev_of(RPM));
		if (is_shape("runtime-pm"))
			mutex_unlock(&first_lock);
	} else if (is_shape("race") || is_shape("race-clean")) {
		if (is_shape("race-clean"))
			device_pm_wait_for_dev(dev, dev_of(B));
		schedule_delayed_work(&use_work, msecs_to_jiffies(delay_ms));
	} else if (is_shape("wait-clean")) {
		device_pm_wait_for_dev(dev, dev_of(B));
	}
}

/* A is the first to wait, so that all runs tell the same. */
static bool b_meets_a(void)
{
	bool met = meet(&b_is_there, &a_is_there);

	msleep(100);
	return met;
}

static void resume_b(struct device *dev)
{
	if (is_shape("abba")) {
		mutex_lock(&second_lock);
		if (b_meets_a())
			lock_until_released(&first_lock);
		mutex_unlock(&second_lock);
	} else if (is_shape("abba-clean")) {
		mutex_lock(&first_lock);
		mutex_unlock(&first_lock);
	} else if (is_shape("rwsem")) {
		mutex_lock(&first_lock);
		if (b_meets_a())
			write_lock_until_released(&semaphore);
		mutex_unlock(&first_lock);
	} else if (is_shape("rwsem-writer")) {
		mutex_lock(&first_lock);
		if (b_meets_a())
			write_lock_until_released(&semaphore);
		mutex_unlock(&first_lock);
	} else if (is_shape("wait-clean")) {
		msleep(delay_ms);
	} else if (is_shape("race") || is_shape("race-clean")) {
		/* Until a has queued its work: what is queued after b's resume races with nothing. */
		msleep(100);
	} else if (is_shape("slow-two")) {
		msleep(SLOW_TWO_B_MS);
	}
}

static int pmlab_resume(struct device *dev)
{
	enum role role = role_of(dev);

	if (role == A) {
		mod_delayed_work(system_unbound_wq, &release_work, msecs_to_jiffies(release_after_ms));
		resume_a(dev);
	}
	if (role == B)
		resume_b(dev);
	/* Until the PM core has come to the later device, which is marked as resumed only afterwards. */
	else if (is_shape("parent-child") || is_shape("supplier-consumer"))
		msleep(100);
	/* The race is one as long as the resume goes on. */
	if (role == RPM && (is_shape("race") || is_shape("race-clean")))
		msleep(delay_ms + 300);
	if (role == PARENT && is_shape("parent-child"))
		device_pm_wait_for_dev(dev, dev_of(CHILD));
	else if (role == CHILD && is_shape("parent-child-clean"))
		device_pm_wait_for_dev(dev, dev_of(PARENT));
	else if (role == SUPPLIER && is_shape("supplier-consumer"))
		device_pm_wait_for_dev(dev, dev_of(CONSUMER));
	else if (role == CONSUMER && is_shape("supplier-consumer-clean"))
		device_pm_wait_for_dev(dev, dev_of(SUPPLIER));
	if (role == A && is_shape("fail"))
		return -EIO;
	return 0;
}

/* Comes before any device is suspended. */
static int pmlab_prepare(struct device *dev)
{
	if (role_of(dev) == A) {
		next_shape();
		a_is_there = b_is_there = b_is_locked = false;
		reinit_completion(&never);
	}
	return 0;
}

static int pmlab_suspend(struct device *dev)
{
	enum role role = role_of(dev);

	if (role == A && is_shape("device-lock"))
		queue_work(system_long_wq, &device_lock_work);
	/* No resume before the lock is held. */
	if (role == PARENT && is_shape("device-lock"))
		comes(&b_is_locked);
	return role == A && is_shape("fail-suspend") ? -EBUSY : 0;
}

static void pmlab_complete(struct device *dev)
{
	if (role_of(dev) == A)
		cancel_delayed_work_sync(&release_work);
}

static int pmlab_runtime_resume(struct device *dev)
{
	enum role role = role_of(dev);

	if (role == RPM && is_shape("runtime-pm"))
		lock_until_released(&first_lock);
	else if (role == RPM)
		msleep(delay_ms);
	return 0;
}

static int pmlab_runtime_suspend(struct device *dev)
{
	return 0;
}

static const struct dev_pm_ops pmlab_pm_ops = {
	.prepare = pmlab_prepare,
	.suspend = pmlab_suspend,
	.resume = pmlab_resume,
	.complete = pmlab_complete,
	.runtime_suspend = pmlab_runtime_suspend,
	.runtime_resume = pmlab_runtime_resume,
};

static int pmlab_probe(struct platform_device *pdev)
{
	device_enable_async_suspend(&pdev->dev);
	pm_runtime_enable(&pdev->dev);
	return 0;
}

static struct platform_driver pmlab_driver = {
	.probe = pmlab_probe,
	.id_table = roles,
	.driver = {
		.name = KBUILD_MODNAME,
		.pm = &pmlab_pm_ops,
	},
};

/* ---- the module ------------------------------------------------------- */

static int __init pmlab_init(void)
{
	int ret = platform_driver_register(&pmlab_driver);
	enum role role;

	if (ret)
		return ret;
	ret = -ENOMEM;
	ordered = alloc_ordered_workqueue("pmlab-ordered", 0);
	if (!ordered)
		goto undo;
	for (role = 0; role < ROLES; role++) {
		struct platform_device_info info = {
			.name = roles[role].name,
			.id = PLATFORM_DEVID_NONE,
			.parent = role == CHILD ? dev_of(PARENT) : NULL,
		};

		devices[role] = platform_device_register_full(&info);
		if (IS_ERR(devices[role])) {
			ret = PTR_ERR(devices[role]);
			devices[role] = NULL;
			goto undo;
		}
	}
	link = device_link_add(dev_of(CONSUMER), dev_of(SUPPLIER), DL_FLAG_STATELESS);
	if (link)
		return 0;
	pr_err("no device link\n");
	ret = -EINVAL;
undo:
	for (role = ROLES; role-- > 0;)
		platform_device_unregister(devices[role]);
	if (ordered)
		destroy_workqueue(ordered);
	platform_driver_unregister(&pmlab_driver);
	return ret;
}
module_init(pmlab_init);

/* It stays: what it leaves running has no end to wait for. */

MODULE_DESCRIPTION("Builds lockups, stalls and races of a resume, for pm-trace's lab");
MODULE_LICENSE("GPL");
