/*
 * kube/sink.h - where the bytes of a long answer go while they come: kube/tunnel.h and kube/exec.h.
 *
 * A sink is called from loop_run with a few KiB at a time (at most KUBE_WEBSOCKET_MESSAGE_MAX), in order. It may block
 * for a moment, as writing to a file does: nothing is read meanwhile, so that a slow sink slows the sender and memory
 * stays flat. It fails (-1) with err set, which ends the call with that very err. It may not free what calls it.
 */
#ifndef KUBE_SINK_H
#define KUBE_SINK_H

#include <stddef.h>

#include "util/err.h"

typedef int kube_sink(void *context, const void *data, size_t length, struct err *err);

#endif
