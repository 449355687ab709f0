/*
 * objects_parts.h - what src/kube/objects*.c share: decoding lists inside objects, and errors that name the object.
 */
#ifndef KUBE_OBJECTS_PARTS_H
#define KUBE_OBJECTS_PARTS_H

#include "kube/objects.h"

/* Puts 'KIND "NAME": ' in front of an error, as far as json has a name. Returns -1. */
int objects_wrap(const cJSON *json, const char *kind, struct err *err);

/* Fails unless json is an object (of that kind, if it says one). */
int objects_check(const cJSON *json, const char *kind, struct err *err) __attribute__((warn_unused_result));

/* The list at path, NULL when absent or null; an error when it is something else. *ret_list is borrowed. */
int objects_list(const cJSON *json, const char *path, const cJSON **ret_list, struct err *err)
	__attribute__((warn_unused_result));

/* An RFC 3339 time at path; *ret_time stays as it is when absent. */
int objects_time(const cJSON *json, const char *path, int64_t *ret_time, struct err *err)
	__attribute__((warn_unused_result));

/* Adds the strings found at item_path (NULL: the item itself) of each item of the list at path; items without are skipped. */
int objects_strings(const cJSON *json, const char *path, const char *item_path, struct strv *strings, struct err *err)
	__attribute__((warn_unused_result));

/* The value of a label, or NULL. A new string. */
char *objects_label(const cJSON *json, const char *label) __attribute__((warn_unused_result));

/* objects_container.c. The containers of a pod spec at path; of a pod also their status (status_path, or NULL). */
int objects_containers(const cJSON *json, const char *path, const char *status_path,
		       struct kube_container **ret_containers, size_t *ret_count, struct err *err)
	__attribute__((warn_unused_result));
void objects_release_containers(struct kube_container *containers, size_t count);

#endif
