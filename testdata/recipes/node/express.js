// An endpoint for OWOX webhooks: it answers at once, then handles each run once.
// What it has seen is in memory: keep that in your database, behind a unique index.
const express = require("express");

const results = {
  "owox.data-marts.webhook.data_mart.run.failed": "failed",
  "owox.data-marts.webhook.data_mart.run.successful": "successful",
};
const seen = new Set();

function handle(event) {
  const keys = [event.id]; // retries have the same id, but a run can come again under a new one
  if (event.data?.run?.id && !event.isTest) keys.push(`${event.event} ${event.data.run.id}`);
  if (!results[event.event] || keys.some((key) => seen.has(key))) return;
  keys.forEach((key) => seen.add(key));
  console.log(`${results[event.event]} run of ${event.data?.dataMart?.title}`);
}

const app = express();
app.use(express.json({ limit: "10mb" })); // errors can be long; what is not JSON gets 400
app.post("/", (request, response) => {
  const ok = typeof request.body?.id === "string";
  response.sendStatus(ok ? 204 : 400);
  if (ok) setImmediate(handle, request.body);
});
app.all("/", (request, response) => response.set("Allow", "POST").sendStatus(405));
const server = app.listen(process.env.PORT ?? 8080, "127.0.0.1");
server.keepAliveTimeout = 60_000; // OWOX uses idle connections again for 4 seconds
