/*
 * cmd/recover_screen.h - what a person reads of a recovery before it is begun: servers, what is lost, steps, commands. Pure.
 *
 * Names from the cluster are made visible; no table is wider than the terminal; commands are never wrapped.
 */
#ifndef CMD_RECOVER_SCREEN_H
#define CMD_RECOVER_SCREEN_H

#include "consul/recovery_act.h"
#include "util/buf.h"
#include "util/term.h"

/* Each server with its raft state, and why it is taken for what it is. Nothing where a leader lives. */
void recover_screen_servers(const struct recovery_look *look, const struct term *term, struct buf *out);

/* RECOVERY_GO and RECOVERY_TIDY: the steps, and what people must know. directory: of the copy; NULL: none is made. */
void recover_screen_plan(const struct recovery_look *look, const char *directory, const struct term *term,
                         struct buf *out);

/* What is to be done by hand; nothing when there is nothing. */
void recover_screen_commands(const struct recovery *recovery, const struct term *term, struct buf *out);

#endif
