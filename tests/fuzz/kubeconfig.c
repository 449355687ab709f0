/* A kubeconfig of any origin: read, merged with itself, and looked up. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "kube/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kubeconfig config = KUBECONFIG_INIT;
	struct err err = ERR_INIT;

	if (kubeconfig_add(&config, "dir/config", (const char *)data, size, &err) == 0) {
		size_t clusters = config.cluster_count;

		if (kubeconfig_add(&config, "other", (const char *)data, size, &err) < 0 ||
		    config.cluster_count != clusters)
			abort();
		kubeconfig_find_context(&config, config.current_context);
	} else if (!err_is_set(&err)) {
		abort();
	}
	kubeconfig_release(&config);
	err_release(&err);
	return 0;
}
