// An npm registry on loopback with the packages of a folder. It prints its URL.
"use strict";
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");

const dir = process.argv[2];
const packages = new Map();
for (const file of fs.readdirSync(dir)) {
  const manifest = JSON.parse(execFileSync("tar", ["-xzOf", path.join(dir, file), "package/package.json"]));
  packages.set(manifest.name, { file, manifest });
}
const server = http.createServer((request, response) => {
  const name = decodeURIComponent(request.url.slice(1));
  if (name.endsWith(".tgz")) {
    fs.createReadStream(path.join(dir, path.basename(name))).pipe(response);
    return;
  }
  const found = packages.get(name);
  response.statusCode = found ? 200 : 404;
  if (!found) return response.end();
  const { file, manifest } = found;
  const dist = { tarball: `http://${request.headers.host}/${file}` };
  response.end(JSON.stringify({ name, "dist-tags": { latest: manifest.version }, versions: { [manifest.version]: { ...manifest, dist } } }));
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
