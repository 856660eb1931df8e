#!/usr/bin/env node
// Runs the owoxhook for this platform, which npm installed as an optional dependency.
"use strict";
const { spawn } = require("node:child_process");

const name = `@owoxhook/${process.platform}-${process.arch}`;
let program;
try {
  program = require.resolve(`${name}/bin/owoxhook${process.platform === "win32" ? ".exe" : ""}`);
} catch {
  console.error(`owoxhook: ${name} is not installed: install owoxhook again with optional dependencies, or from source if there is no such package`);
  process.exit(3);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
child.on("error", (err) => {
  console.error(`owoxhook: cannot run ${program}: ${err.message}`);
  process.exit(3);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});

// A terminal sends these to both of us, and a second one would end owoxhook at once.
const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
for (const signal of ["SIGINT", "SIGHUP", "SIGTERM"]) {
  process.on(signal, () => {
    if (signal === "SIGTERM" || !terminal) child.kill(signal);
  });
}
