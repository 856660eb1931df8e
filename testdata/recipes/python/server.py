# An endpoint for OWOX webhooks: it answers at once, then handles each run once.
# What it has seen is in memory: keep that in your database, behind a unique index.
import json, os
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RUN = "owox.data-marts.webhook.data_mart.run."
worker, seen = ThreadPoolExecutor(1), set()


def handle(event):
    data, keys = event["data"], {event["id"]}  # retries have the same id, but a run can come again under a new one
    if not event.get("isTest") and data.get("run", {}).get("id"):
        keys.add((event["event"], data["run"]["id"]))
    if event["event"] in (RUN + "failed", RUN + "successful") and not keys & seen:
        seen.update(keys)
        print(event["event"].removeprefix(RUN), "run of", data.get("dataMart", {}).get("title"), flush=True)


class Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # idle connections stay open

    def do_POST(self):
        try:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            ok = isinstance(event["id"], str) and self.headers.get_content_type() == "application/json"
        except (ValueError, TypeError, KeyError):
            ok = False
        self.send_response(200 if ok else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if ok: worker.submit(handle, event)

    def do_GET(self): self.send_error(405)
    do_PUT = do_DELETE = do_GET


ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8080))), Endpoint).serve_forever()
