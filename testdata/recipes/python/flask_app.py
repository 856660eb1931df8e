# An endpoint for OWOX webhooks: it answers at once, then handles each run once.
# What it has seen is in memory: keep that in your database, behind a unique index.
import os
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, abort, request
from werkzeug.serving import WSGIRequestHandler

RUN = "owox.data-marts.webhook.data_mart.run."
app, worker, seen = Flask(__name__), ThreadPoolExecutor(1), set()


def handle(event):
    data, keys = event["data"], {event["id"]}  # retries have the same id, but a run can come again under a new one
    if not event.get("isTest") and data.get("run", {}).get("id"):
        keys.add((event["event"], data["run"]["id"]))
    if event["event"] in (RUN + "failed", RUN + "successful") and not keys & seen:
        seen.update(keys)
        print(event["event"].removeprefix(RUN), "run of", data.get("dataMart", {}).get("title"), flush=True)


@app.post("/")
def receive():
    event = request.get_json()  # answers 4xx itself to what is not JSON
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        abort(400)
    worker.submit(handle, event)
    return "", 204


if __name__ == "__main__":  # in production: gunicorn --threads 8 --keep-alive 60 flask_app:app
    WSGIRequestHandler.protocol_version = "HTTP/1.1"  # idle connections stay open
    app.run(port=int(os.environ.get("PORT", 8080)))
