/*
 * port_session.h - pods/portforward, as the script has it, on a WebSocket: a tiny HTTP server behind each port.
 */
#ifndef SUPPORT_PORT_SESSION_H
#define SUPPORT_PORT_SESSION_H

#include <openssl/ssl.h>

#include "reactor.h"
#include "websocket.h"

struct port_session;

/* upgrade is taken over; tunnel_tls serves PORT_HTTPS and may be NULL when there is none. */
struct port_session *port_session_new(struct reactor *reactor, struct script *script, struct wire *wire,
                                      SSL_CTX *tunnel_tls, const struct apiserver_request *request,
                                      struct script_upgrade *upgrade);
void port_session_free(struct port_session *session); /* NULL is fine */

struct websocket *port_session_websocket(struct port_session *session);

#endif
