/* A file that is there whole or not at all, and never instead of another one. See backup_parts.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "backup_parts.h"
#include "util/mem.h"
#include "util/str.h"

static int fail(const char *what, const struct backup_file *file, int number, struct err *err)
{
	err_set(err, ERR_CONFIG, "cannot %s %s: %s", what, file->shown, strerror(number));
	if (number == ENOSPC || number == EDQUOT)
		return err_hint(err, "make room there, or name a file on another disk");
	return -1;
}

static int fail_as_existing(const struct backup_file *file, struct err *err)
{
	err_set(err, ERR_CONFIG, "%s exists already", file->shown);
	return err_hint(err, "name another file: what is there is never overwritten");
}

/* -------------------------------------------------------------------------------------------- open */

/* The directory of path; its name there goes to file. */
static int open_directory(struct backup_file *file, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *directory = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");

	file->name = xstrdup(slash ? slash + 1 : path);
	if (!*file->name || str_equal(file->name, ".") || str_equal(file->name, ".."))
		return err_set(err, ERR_CONFIG, "\"%s\" is no name of a file", file->shown);
	file->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->directory < 0) {
		_cleanup_free_ char *shown = str_visible(directory, 0);
		int number = errno;

		return err_set(err, ERR_CONFIG, "cannot write %s: directory %s: %s", file->shown, shown,
		               strerror(number));
	}
	return 0;
}

static char *hidden_name(void)
{
	unsigned char random[8];
	uint64_t number;

	if (RAND_bytes(random, sizeof(random)) != 1)
		abort();
	memcpy(&number, random, sizeof(number));
	return xasprintf(".kubectl-consul-%016llx", (unsigned long long)number);
}

int backup_file_open(struct backup_file *file, const char *path, struct err *err)
{
	_cleanup_free_ char *beside = hidden_name();
	struct stat info;

	file->shown = str_visible(path, 0);
	if (open_directory(file, path, err) < 0)
		return -1;
	if (fstatat(file->directory, file->name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		return fail_as_existing(file, err);
	if (errno != ENOENT)
		return fail("write", file, errno, err);
	file->fd = openat(file->directory, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file->fd < 0)
		return fail("write", file, errno, err);
	file->beside = TAKE(beside);
	return 0;
}

/* ------------------------------------------------------------------------------------------- write */

int backup_file_write(struct backup_file *file, const void *data, size_t length, struct err *err)
{
	const char *at = data;

	while (length > 0) {
		ssize_t written = write(file->fd, at, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return fail("write", file, written < 0 ? errno : ENOSPC, err);
		at += written;
		length -= (size_t)written;
	}
	return 0;
}

int backup_file_restart(struct backup_file *file, struct err *err)
{
	if (ftruncate(file->fd, 0) < 0 || lseek(file->fd, 0, SEEK_SET) < 0)
		return fail("write", file, errno, err);
	return 0;
}

/* -------------------------------------------------------------------------------------------- keep */

/* What write() was told may be untrue (network file systems, disks that fill up): fsync and close tell the rest. */
static int flush(struct backup_file *file, struct err *err)
{
	int fd = file->fd;

	if (fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP)
		return fail("write", file, errno, err);
	file->fd = -1;
	if (close(fd) < 0 && errno != EINTR)
		return fail("write", file, errno, err);
	return 0;
}

/* Without hard links: the name is taken first, by an empty file, so that it is nobody else's that is replaced. */
static int rename_without_links(struct backup_file *file, struct err *err)
{
	int fd = openat(file->directory, file->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int number;

	if (fd < 0)
		return errno == EEXIST ? fail_as_existing(file, err) : fail("write", file, errno, err);
	close(fd);
	if (renameat(file->directory, file->beside, file->directory, file->name) == 0) {
		replace_string(&file->beside, NULL);
		return 0;
	}
	number = errno;
	unlinkat(file->directory, file->name, 0);
	return fail("write", file, number, err);
}

/* A link, unlike a rename, does not replace what is there. */
static int give_name(struct backup_file *file, struct err *err)
{
	if (linkat(file->directory, file->beside, file->directory, file->name, 0) < 0) {
		if (errno == EEXIST)
			return fail_as_existing(file, err);
		return rename_without_links(file, err);
	}
	return 0;
}

int backup_file_keep(struct backup_file *file, struct err *err)
{
	if (flush(file, err) < 0 || give_name(file, err) < 0)
		return -1;
	if (file->beside)
		unlinkat(file->directory, file->beside, 0);
	replace_string(&file->beside, NULL);
	(void)fsync(file->directory); /* where that is possible, the name survives a crash too */
	return 0;
}

void backup_file_release(struct backup_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	if (file->beside)
		unlinkat(file->directory, file->beside, 0);
	if (file->directory >= 0)
		close(file->directory);
	free(file->shown);
	free(file->name);
	free(file->beside);
	*file = (struct backup_file)BACKUP_FILE_INIT;
}
