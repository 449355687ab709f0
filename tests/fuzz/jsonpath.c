/* Templates of any origin on an object of every shape: what is read can be printed, or says why not. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/jsonpath.h"
#include "util/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char document[] =
    "{\"a\":[1,2.5,\"x\",null,true,{\"b\":\"c\",\"lag\":3}],\"b\":{\"a\":{},\"c\":[[1],[]]},"
    "\"name\":\"consul-0\",\"servers\":[{\"name\":\"s\",\"lag\":1},{\"name\":\"t\",\"lag\":2}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *template = xstrndup((const char *)data, size);
	_cleanup_jsonpath_ struct jsonpath *path = NULL;
	_cleanup_buf_ struct buf out = BUF_INIT((size_t)1024 * 1024);
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_json_ cJSON *json = NULL;
	int status;

	if (json_parse(document, strlen(document), &json, &err) < 0)
		abort();
	status = jsonpath_parse(template, &path, &err);
	if (status == 0)
		status = jsonpath_print(path, json, size % 2, &out, &err);
	if ((status < 0) != err_is_set(&err))
		abort();
	return 0;
}
