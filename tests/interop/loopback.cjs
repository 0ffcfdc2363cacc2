// Loaded before a server that listens on every address and a fixed port: it listens on loopback, on a free port, and
// says which.
const net = require("node:net");

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  this.once("listening", () => process.stdout.write(`port ${this.address().port}\n`));
  return listen.call(this, 0, "127.0.0.1", given.find((value) => typeof value === "function"));
};
