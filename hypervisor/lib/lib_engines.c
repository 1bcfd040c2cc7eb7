/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib_engines.c - which engines serve on this host, and why the others do not; which CPU models it
 * can be. Apart from the rest of libhvm: whoever asks only this (hvmd) links nothing of the core.
 * Locking: the texts handed out have a lock of their own. Saved: nothing.
 */
#include "hvm/hvm_ioctl.h"
#include "lib/lib_ops.h"
#include "os/posix/dev_posix.h"
#include "x86/host_model.h"

#define LIB_ENGINES 3u

static struct hvm_os_mutex *dev_lock(void)
{
	static struct hvm_os_mutex lock;
	static uint32_t state; /* 0 raw, 1 being made, 2 made */
	uint32_t raw = 0;

	if (__atomic_compare_exchange_n(&state, &raw, 1, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST)) {
		hvm_os_mutex_init(&lock);
		__atomic_store_n(&state, 2, __ATOMIC_SEQ_CST);
	}
	while (__atomic_load_n(&state, __ATOMIC_SEQ_CST) != 2)
		hvm_os_yield();
	return &lock;
}

/* A text that stays where it is for as long as it stays the same. */
static const char *dev_reason(unsigned int which, const char *text)
{
	static char kept[2][sizeof(((struct hvm_ioctl_vendor *)NULL)->reason)];

	hvm_os_mutex_lock(dev_lock());
	if (memcmp(kept[which], text, sizeof(kept[which])) != 0)
		memcpy(kept[which], text, sizeof(kept[which]) - 1);
	hvm_os_mutex_unlock(dev_lock());
	return kept[which];
}

int lib_open_info(struct hvm_ioctl_info *info)
{
	int fd = dev_open(), rc;

	if (fd < 0)
		return fd;
	rc = dev_call(fd, HVM_IOCTL_INFO, info);
	if (!rc && info->version != HVM_IOCTL_VERSION)
		rc = -HVM_ERANGE;
	if (rc) {
		dev_close(fd);
		return rc;
	}
	return fd;
}

static const char *dev_absent(int error)
{
	switch (-error) {
	case HVM_ENOENT:
	case HVM_ENXIO:
	case HVM_ENODEV: return "the module hvm is not loaded: there is no " DEV_HVM_PATH;
	case HVM_EPERM:
	case HVM_EACCES: return "no permission to use " DEV_HVM_PATH " (group hvm has it)";
	case HVM_ERANGE: return "the module hvm that is loaded is of another version";
	}
	return DEV_HVM_PATH " cannot be used";
}

static void dev_engine(const struct hvm_ioctl_info *info, int error, unsigned int which,
		       struct hvm_engine_info *ret)
{
	const bool has = which ? dev_cpu_has_svm() : dev_cpu_has_vmx();

	ret->engine = which ? HVM_ENGINE_SVM : HVM_ENGINE_VMX;
	ret->name = which ? "svm" : "vmx";
	ret->available = false;
	if (error < 0) {
		ret->reason = has     ? dev_absent(error)
			      : which ? "this processor has no SVM"
				      : "this processor has no VT-x";
		return;
	}
	ret->reason = "the module hvm does not know this engine";
	for (unsigned int i = 0; i < HVM_ARRAY_SIZE(info->vendor); i++) {
		if (info->vendor[i].engine != ret->engine)
			continue;
		ret->available = !info->vendor[i].error;
		ret->reason = dev_reason(which, info->vendor[i].reason);
	}
}

/* Whether vmx (ret[0]) and svm (ret[1]) serve here, and why not. */
static void lib_dev_engines(struct hvm_engine_info ret[2])
{
	struct hvm_ioctl_info info = { 0 };
	int fd = lib_open_info(&info);

	for (unsigned int i = 0; i < 2; i++)
		dev_engine(&info, fd, i, &ret[i]);
	dev_close(fd);
}

size_t hvm_engines(struct hvm_engine_info *ret, size_t max)
{
	struct hvm_engine_info all[LIB_ENGINES] = {
		{ HVM_ENGINE_SOFT, true, "soft", "the software CPU: serves on every x86-64 host" },
	};

	lib_dev_engines(&all[1]);
	for (size_t i = 0; i < LIB_ENGINES && i < max; i++)
		ret[i] = all[i];
	return LIB_ENGINES;
}

const char *hvm_cpu_model_lacks(enum hvm_cpu_model model)
{
	const struct host_features f = host_features_read();

	return host_lacks_model(model, &f);
}
