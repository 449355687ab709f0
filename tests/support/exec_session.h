/*
 * exec_session.h - one command in a container, as the script has it, on a WebSocket.
 */
#ifndef SUPPORT_EXEC_SESSION_H
#define SUPPORT_EXEC_SESSION_H

#include "reactor.h"
#include "websocket.h"

struct exec_session;

/* upgrade is taken over; request is borrowed from the record. Begins at once. */
struct exec_session *exec_session_new(struct reactor *reactor, struct script *script, struct wire *wire,
                                      const struct apiserver_request *request, struct script_upgrade *upgrade);
void exec_session_free(struct exec_session *session); /* NULL is fine */

struct websocket *exec_session_websocket(struct exec_session *session);

#endif
