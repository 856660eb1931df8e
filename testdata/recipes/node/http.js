// An endpoint for OWOX webhooks: it answers at once, then handles each run once.
// What it has seen is in memory: keep that in your database, behind a unique index.
const http = require("node:http");
const { json } = require("node:stream/consumers");

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

const server = http.createServer(async (request, response) => {
  if (request.method !== "POST") return response.writeHead(405, { Allow: "POST" }).end();
  const event = await json(request).catch(() => null);
  const ok = request.headers["content-type"]?.startsWith("application/json") && typeof event?.id === "string";
  response.writeHead(ok ? 204 : 400).end();
  if (ok) setImmediate(handle, event);
});
server.keepAliveTimeout = 60_000; // OWOX uses idle connections again for 4 seconds
server.listen(process.env.PORT ?? 8080, "127.0.0.1");
