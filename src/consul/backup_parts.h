/*
 * backup_parts.h - what src/consul/backup*.c share. The file is raft_copy.c's, too.
 *
 *     backup.c        the two ways by which a snapshot comes
 *     backup_file.c   the file that it goes to: whole or not at all
 *     backup_check.c  whether it is whole: gzip, sums, and what it says of itself
 *     backup_tar.c    tar, as Go's archive/tar writes it
 */
#ifndef CONSUL_BACKUP_PARTS_H
#define CONSUL_BACKUP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

/* --------------------------------------------------------------------------------------------- file */

/* A file that has another name until it is complete. */
struct backup_file {
	char *shown;  /* the path, fit for a message */
	char *name;   /* without the directory */
	char *beside; /* the name it has meanwhile; NULL: there is no such file */
	int directory;
	int fd;
};

#define BACKUP_FILE_INIT { .directory = -1, .fd = -1 }

/* ERR_CONFIG: path exists, or cannot be made. */
int backup_file_open(struct backup_file *file, const char *path, struct err *err) __attribute__((warn_unused_result));

/* ERR_CONFIG: the disk is full, or fails. */
int backup_file_write(struct backup_file *file, const void *data, size_t length, struct err *err)
    __attribute__((warn_unused_result));

/* Empties it: what comes next is its beginning. */
int backup_file_restart(struct backup_file *file, struct err *err) __attribute__((warn_unused_result));

/* Gives it its name, when all is on the disk. ERR_CONFIG: it exists by now, which is left as it is, or as write. */
int backup_file_keep(struct backup_file *file, struct err *err) __attribute__((warn_unused_result));

/* Removes it unless it was kept. Safe on BACKUP_FILE_INIT. */
void backup_file_release(struct backup_file *file);

/* ---------------------------------------------------------------------------------------------- tar */

#define TAR_BLOCK ((size_t)512)
/* Most bytes of one extended header: names and sizes that do not fit into a plain one. */
#define TAR_EXTENDED_MAX ((size_t)16 * 1024)

/* All may be called many times; -1 ends the reading. The name is valid during on_entry only. */
struct tar_events {
	int (*on_entry)(void *context, const char *name, uint64_t size, struct err *err); /* a plain file begins */
	int (*on_data)(void *context, const void *data, size_t length, struct err *err);  /* never empty */
	int (*on_entry_end)(void *context, struct err *err);
};

enum tar_state { TAR_HEADER, TAR_BODY, TAR_PADDING, TAR_END };

/* What the body belongs to. */
enum tar_kind { TAR_FILE, TAR_PAX, TAR_LONG_NAME };

struct tar {
	const struct tar_events *events;
	void *context;
	enum tar_state state; /* TAR_END: the archive is whole */
	enum tar_kind kind;
	bool had_zero_block;
	unsigned char block[TAR_BLOCK];
	size_t filled;  /* of block */
	uint64_t left;  /* bytes of the body still to come */
	size_t padding; /* after it */
	struct buf extended;
	char *next_name; /* of the next entry, from its extended header; NULL: in the plain one */
	bool has_next_size;
	uint64_t next_size;
};

#define TAR_INIT(events_, context_)                                                                                    \
	{                                                                                                              \
		.events = (events_), .context = (context_), .extended = BUF_INIT(TAR_EXTENDED_MAX)                     \
	}

/* ERR_INVALID: no such archive, and why. Not to be called again after a failure. */
int tar_feed(struct tar *tar, const unsigned char *data, size_t length, struct err *err)
    __attribute__((warn_unused_result));

void tar_release(struct tar *tar);

#endif
