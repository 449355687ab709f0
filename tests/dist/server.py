#!/usr/bin/env python3
"""server.py DIRECTORY: what check.sh asks in a network namespace of its own, on 127.0.0.1 there.

A name server on port 53 (UDP) that knows the A record of api.dist.test, and an HTTPS server on port 6443, with
DIRECTORY/server.pem, that forbids everything. Says "ready" when both listen.
"""
import http.server
import json
import socketserver
import ssl
import struct
import sys
import threading

KNOWN = b"\x03api\x04dist\x04test\x00"
REFUSAL = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403,
           "message": "the server of the dist tests forbids it"}


class Names(socketserver.BaseRequestHandler):
    def handle(self):
        query, socket = self.request
        question = query[12:query.index(b"\0", 12) + 5]
        known = question[:-4].lower() == KNOWN
        is_a = question[-4:-2] == b"\0\1"
        answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1]) if known and is_a else b""
        flags = 0x8180 if known else 0x8183
        socket.sendto(query[:2] + struct.pack(">HHHHH", flags, 1, 1 if answer else 0, 0, 0) + question + answer,
                      self.client_address)


class Forbid(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps(REFUSAL).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *arguments):
        pass


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{sys.argv[1]}/server.pem")
    api = http.server.ThreadingHTTPServer(("127.0.0.1", 6443), Forbid)
    api.socket = context.wrap_socket(api.socket, server_side=True)
    names = socketserver.ThreadingUDPServer(("127.0.0.1", 53), Names)
    threading.Thread(target=names.serve_forever, daemon=True).start()
    print("ready", flush=True)
    api.serve_forever()


if __name__ == "__main__":
    main()
