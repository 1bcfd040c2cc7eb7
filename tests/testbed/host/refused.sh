# SPDX-License-Identifier: GPL-2.0-or-later
# refused.sh - a host whose processor has no SVM and no VT-x: the module says so and serves nobody.
check "the module loads without a vendor" insmod /modules/hvm.ko
check "the log says why" sh -c "dmesg | grep 'hvm: svm: does not serve'"
check "a domain is refused with ENODEV" testbed_device --refused ENODEV
check "the module unloads" rmmod hvm
