/* See include/consul/raft_copy.h. */
#include "consul/raft_copy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "backup_parts.h"
#include "consul/shell.h"
#include "kube/exec.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

/* A server without a leader writes its vote at every election, once in 1 to 10 s: most copies fit in between. */
#define TRIES      8
#define SUM_LENGTH 64 /* hexadecimal digits of a SHA-256 */

/* The script's own exit codes. */
enum { EXIT_NO_DIRECTORY = 66, EXIT_NO_PROGRAM = 69 };

/* $1: the data directory. The first line on stderr is the sum. */
static const char script[] = "cd \"$1\" && [ -d raft ] || exit 66\n"
                             "command -v tar >/dev/null && command -v sha256sum >/dev/null || exit 69\n"
                             "set -- raft; [ ! -e node-id ] || set -- node-id raft\n"
                             "s=$(tar -cf - \"$@\" 2>/dev/null | sha256sum); echo \"${s%% *}\" >&2\n"
                             "exec tar -cf - \"$@\"\n";

struct copying {
	struct kube_client *client;
	const struct server *server;
	const char *data_dir;
	int64_t deadline_ms;
	struct backup_file *file;
	EVP_MD_CTX *digest;
	uint64_t bytes;       /* that came */
	bool has_failed_here; /* the disk */
};

/* A kube_sink. */
static int take(void *context, const void *data, size_t length, struct err *err)
{
	struct copying *copying = context;

	if (EVP_DigestUpdate(copying->digest, data, length) != 1)
		abort();
	copying->bytes += length;
	if (backup_file_write(copying->file, data, length, err) == 0)
		return 0;
	copying->has_failed_here = true;
	return -1;
}

static void finish_sum(struct copying *copying, char *ret_sum)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	if (EVP_DigestFinal_ex(copying->digest, sum, &length) != 1 || length * 2 != SUM_LENGTH)
		abort();
	for (size_t i = 0; i < length; i++)
		snprintf(ret_sum + 2 * i, 3, "%02x", sum[i]);
}

static int fail_exit(const struct copying *copying, const struct kube_exec *exec, struct err *err)
{
	_cleanup_free_ char *words = shell_last_words(buf_text(&exec->error_output), exec->error_output.len);
	const char *pod = copying->server->name;

	switch (exec->exit_code) {
	case EXIT_NO_DIRECTORY:
		return err_set(err, ERR_FAILED, "pod %s: there is no directory %s/raft", pod, copying->data_dir);
	case EXIT_NO_PROGRAM:
		err_set(err, ERR_FAILED, "pod %s: a copy needs tar and sha256sum in the container", pod);
		return err_hint(
		    err, "without --save no copy is made; kubectl debug or a snapshot of the volume can make one");
	default:
		return err_set(err, ERR_FAILED, "pod %s: tar of %s/raft exits with %d: %s", pod, copying->data_dir,
		               exec->exit_code, words);
	}
}

/* Whether what came is what was there before. A tar that GNU made while the server wrote exits with 1, too. */
static int take_outcome(struct copying *copying, struct kube_exec *exec, bool *ret_same, struct err *err)
{
	char sum[SUM_LENGTH + 1];

	if (err_is_set(&exec->err) && copying->has_failed_here)
		return err_move(err, &exec->err);
	if (err_is_set(&exec->err))
		return shell_fail(copying->server, "a copy of its data", &exec->err, err);
	finish_sum(copying, sum);
	*ret_same = exec->exit_code == 0 && str_starts_with(buf_text(&exec->error_output), sum);
	if (exec->exit_code == 0 || strstr(buf_text(&exec->error_output), "changed as we read it"))
		return 0;
	return fail_exit(copying, exec, err);
}

static int copy_once(struct copying *copying, bool *ret_same, struct err *err)
{
	const char *const argv[] = { "sh", "-c", script, "sh", copying->data_dir, NULL };
	struct kube_exec exec = KUBE_EXEC_INIT;
	int status;

	if (backup_file_restart(copying->file, err) < 0)
		return -1;
	if (EVP_DigestInit_ex(copying->digest, EVP_sha256(), NULL) != 1)
		abort();
	copying->bytes = 0;
	exec.namespace_name = copying->server->pod.namespace_name;
	exec.pod = copying->server->pod.name;
	exec.container = copying->server->container->name;
	exec.argv = argv;
	exec.sink = take;
	exec.sink_context = copying;
	status = kube_exec_perform(copying->client, &exec, 1, copying->deadline_ms, err);
	if (status == 0)
		status = take_outcome(copying, &exec, ret_same, err);
	kube_exec_release(&exec);
	return status;
}

static int copy(struct copying *copying, struct err *err)
{
	bool is_same = false;

	for (int i = 0; i < TRIES && !is_same; i++)
		if (copy_once(copying, &is_same, err) < 0)
			break;
	if (err->kind == ERR_TIMEOUT && copying->bytes > 0)
		err_hint(err, "%" PRIu64 " bytes had come: give it more time (--timeout)", copying->bytes);
	if (is_same || err_is_set(err))
		return is_same ? 0 : -1;
	err_set(err, ERR_CONFLICT, "pod %s: %s/raft changed during each of %d copies", copying->server->name,
	        copying->data_dir, TRIES);
	return err_hint(err,
	                "a server without a leader writes its vote at every election: try again, or take a snapshot of "
	                "its volume");
}

/* ---------------------------------------------------------------------------------------- directory */

static int make_directory(const char *directory, bool *ret_made, struct err *err)
{
	_cleanup_free_ char *shown = NULL;

	*ret_made = mkdir(directory, 0700) == 0;
	if (*ret_made || errno == EEXIST)
		return 0;
	shown = str_visible(directory, 0);
	return err_set(err, ERR_CONFIG, "cannot make directory %s: %s", shown, strerror(errno));
}

int raft_copy_save(struct kube_client *client, const struct server *server, const char *data_dir, const char *directory,
                   int64_t deadline_ms, char **ret_path, uint64_t *ret_bytes, struct err *err)
{
	_cleanup_free_ char *name = xasprintf("%s.tar", server->name), *path = file_join(directory, name);
	struct backup_file file = BACKUP_FILE_INIT;
	struct copying copying = {
		.client = client, .server = server, .data_dir = data_dir, .deadline_ms = deadline_ms, .file = &file
	};
	bool has_made;
	int status;

	if (strchr(server->name, '/'))
		return err_set(err, ERR_INVALID, "pod %s: its name is none of a file", server->name);
	if (!server->has_pod || !server->container)
		return err_set(err, ERR_NOT_FOUND, "pod %s: there is no container of Consul to copy from",
		               server->name);
	if (make_directory(directory, &has_made, err) < 0)
		return -1;
	copying.digest = EVP_MD_CTX_new();
	status = backup_file_open(&file, path, err);
	if (status == 0)
		status = copy(&copying, err);
	if (status == 0)
		status = backup_file_keep(&file, err);
	backup_file_release(&file);
	EVP_MD_CTX_free(copying.digest);
	if (status == 0) {
		*ret_path = TAKE(path);
		*ret_bytes = copying.bytes;
	} else if (has_made) {
		rmdir(directory);
	}
	return status;
}
