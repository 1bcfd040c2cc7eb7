/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_ioemu_config.c - config.json: what is taken, and the error that each mistake gets.
 */
#include "machine_fixture.h"

#include "config.h"

static const char base[] =
	"{\"uuid\":\"5b6a0000-0000-4000-8000-000000000001\",\"name\":\"web1\",\"vcpus\":2,"
	"\"memory_mib\":256,\"engine\":\"auto\",\"cpu_model\":\"hvm-v2\","
	"\"boot\":{\"firmware\":\"bios\",\"order\":[\"cdrom\",\"disk\"]},"
	"\"disks\":[{\"id\":\"root\",\"path\":\"/d\",\"format\":\"raw\",\"bus\":\"ide\","
	"\"device\":\"disk\",\"read_only\":false},"
	"{\"id\":\"cd\",\"path\":\"/c\",\"format\":\"raw\",\"bus\":\"ide\",\"device\":\"cdrom\"}],"
	"\"serial\":{\"log_kib\":128},\"display\":{\"type\":\"none\"},"
	"\"on_reboot\":\"stop\",\"on_crash\":\"restart\",\"labels\":{\"role\":\"web\"},"
	"\"firmware\":{\"hvmloader\":\"/h\",\"bios\":\"/b\",\"vgabios\":\"/v\"}}";

/* The base document with @patch (a JSON object) laid over it. */
static int parse_patched(const char *patch, struct ioemu_config *c, struct ioemu_error *err)
{
	json_t *doc = json_loads(base, 0, NULL), *over = json_loads(patch, 0, NULL);
	int result;

	assert_non_null(doc);
	assert_non_null(over);
	json_object_update(doc, over);
	result = config_parse(doc, c, err);
	json_decref(over);
	json_decref(doc);
	return result;
}

static void config_takes_the_documented_example(void **state)
{
	struct ioemu_config c;
	struct ioemu_error err;

	(void)state;
	assert_int_equal(parse_patched("{}", &c, &err), 0);
	assert_int_equal(c.vcpus, 2);
	assert_int_equal(c.memory_mib, 256);
	assert_int_equal(c.boot, HVM_BOOT_FIRMWARE);
	assert_int_equal(c.order[0], HVM_BOOT_DEV_CDROM);
	assert_int_equal(c.order[1], HVM_BOOT_DEV_DISK);
	assert_int_equal(c.order[2], HVM_BOOT_DEV_NONE);
	assert_int_equal(c.disk_count, 2);
	assert_false(c.disk[0].read_only);
	assert_true(c.disk[1].cdrom && c.disk[1].read_only);
	assert_int_equal(c.log_kib, 128);
	assert_false(c.restart_on_reboot);
	assert_true(c.restart_on_crash);
	assert_int_equal(c.engine, HVM_ENGINE_AUTO);
	assert_string_equal(c.vgabios, "/v");
	config_free(&c);
	assert_int_equal(parse_patched("{\"boot\":{\"kernel\":\"/k\",\"initrd\":null,"
				       "\"cmdline\":\"quiet\"},\"engine\":\"soft\"}",
				       &c, &err),
			 0);
	assert_int_equal(c.boot, HVM_BOOT_KERNEL);
	assert_null(c.initrd);
	assert_int_equal(c.engine, HVM_ENGINE_SOFT);
	config_free(&c);
}

static void config_knows_each_cpu_model(void **state)
{
	static const struct {
		const char *patch;
		enum hvm_cpu_model model;
	} rows[] = {
		{ "{\"cpu_model\":\"hvm-v1\"}", HVM_CPU_V1 },
		{ "{\"cpu_model\":\"hvm-v2\"}", HVM_CPU_V2 },
		{ "{\"cpu_model\":\"hvm-v3\"}", HVM_CPU_V3 },
	};
	struct ioemu_config c;
	struct ioemu_error err;

	(void)state;
	for (unsigned int i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		assert_int_equal(parse_patched(rows[i].patch, &c, &err), 0);
		assert_int_equal(c.cpu_model, rows[i].model);
		config_free(&c);
	}
}

static void config_names_the_field_that_is_wrong(void **state)
{
	static const struct {
		const char *patch, *detail;
	} rows[] = {
		{ "{\"name\":7}", "name: must be a string" },
		{ "{\"uuid\":null}", "uuid: missing" },
		{ "{\"vcpus\":0}", "vcpus: must be a number from 1 to 16" },
		{ "{\"vcpus\":17}", "vcpus: must be a number from 1 to 16" },
		{ "{\"vcpus\":\"2\"}", "vcpus: must be a number from 1 to 16" },
		{ "{\"memory_mib\":15}", "memory_mib: must be a number from 16 to 262144" },
		{ "{\"memory_mib\":-1}", "memory_mib: must be a number from 16 to 262144" },
		{ "{\"cpu_model\":\"hvm-v4\"}", "cpu_model: \"hvm-v4\" is not known" },
		{ "{\"engine\":\"kvm\"}", "engine: \"kvm\" is not known" },
		{ "{\"boot\":[]}", "boot: must be an object" },
		{ "{\"boot\":{\"order\":[\"floppy\"]}}", "boot.order[0]: \"floppy\" is not known" },
		{ "{\"boot\":{\"order\":[1]}}", "boot.order[0]: \"\" is not known" },
		{ "{\"disks\":{}}", "disks: must be a list" },
		{ "{\"disks\":[7]}", "disks[0]: must be an object" },
		{ "{\"disks\":[{\"id\":\"a\"}]}", "disks[0].path: missing" },
		{ "{\"disks\":[{\"id\":\"a\",\"path\":\"/x\",\"format\":\"qcow2\"}]}",
		  "disks[0].format: \"qcow2\" is not known" },
		{ "{\"disks\":[{\"id\":\"a\",\"path\":\"/x\",\"read_only\":1}]}",
		  "disks[0].read_only: must be true or false" },
		{ "{\"disks\":[1,2,3,4,5]}", "disks: at most 4 fit on the IDE bus" },
		{ "{\"serial\":{\"log_kib\":0}}",
		  "serial.log_kib: must be a number from 1 to 65536" },
		{ "{\"on_crash\":\"explode\"}", "on_crash: \"explode\" is not known" },
		{ "{\"firmware\":{\"hvmloader\":\"/h\"}}", "firmware.bios: missing" },
		{ "{\"nics\":[{}]}", "nics: there are no network devices yet" },
	};
	struct ioemu_config c;
	struct ioemu_error err;
	unsigned int i;

	(void)state;
	for (i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		assert_int_equal(parse_patched(rows[i].patch, &c, &err), -1);
		assert_string_equal(err.code, "config-invalid");
		assert_string_equal(err.detail, rows[i].detail);
		config_free(&c);
	}
}

static void config_file_that_is_no_json_or_absent_is_an_error(void **state)
{
	struct ioemu_config c;
	struct ioemu_error err;

	(void)state;
	assert_int_equal(config_load("/nonexistent/config.json", &c, &err), -1);
	assert_non_null(strstr(err.detail, "/nonexistent/config.json"));
	config_free(&c);
	assert_int_equal(config_load("/dev/null", &c, &err), -1);
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_takes_the_documented_example),
		cmocka_unit_test(config_knows_each_cpu_model),
		cmocka_unit_test(config_names_the_field_that_is_wrong),
		cmocka_unit_test(config_file_that_is_no_json_or_absent_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
