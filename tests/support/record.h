/*
 * record.h - inside the scripted API server: what it was asked, and what clients did wrong.
 *
 * The lock given to record_new guards it: record_add and record_complain want it held, the others take it themselves.
 */
#ifndef SUPPORT_RECORD_H
#define SUPPORT_RECORD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "apiserver.h"

struct record;

struct record *record_new(pthread_mutex_t *lock);
void record_free(struct record *record);

void record_add(struct record *record, struct apiserver_request *request); /* takes it over */
void record_complain(struct record *record, unsigned connection, const char *text);

size_t record_total(struct record *record);
const struct apiserver_request *record_at(struct record *record, size_t index);
size_t record_count(struct record *record, const char *method, const char *path);
const struct apiserver_request *record_find(struct record *record, const char *method, const char *path, size_t n);
bool record_wait(struct record *record, const char *method, const char *path, size_t count, int timeout_ms);
char *record_complaints(struct record *record);

#endif
