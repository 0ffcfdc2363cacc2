// A visit to the shop with the official TypeScript SDK; the same errand and the same report as python_client.py.
//
//     node typescript_client.mjs FOLDER LINE MODE < errand.json > told.json
//
// FOLDER holds node_modules. LINE: v1 or v2. MODE: legacy, auto or a revision to insist on (v2 only).
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, line, mode] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
const PATIENCE = { timeout: 120_000 };

async function makeParts() {
  if (line === "v2") {
    const { Client, StreamableHTTPClientTransport } = await load("@modelcontextprotocol/client");
    return { Client, StreamableHTTPClientTransport };
  }
  const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  return { Client, StreamableHTTPClientTransport };
}

async function connect(url, token) {
  const { Client, StreamableHTTPClientTransport } = await makeParts();
  const wanted = ["legacy", "auto"].includes(mode) ? mode : { pin: mode };
  const client = new Client({ name: "visitor", version: "1" }, line === "v2" ? { versionNegotiation: { mode: wanted } } : {});
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  });
  await client.connect(transport, PATIENCE);
  const version = line === "v2" ? client.getNegotiatedProtocolVersion() : transport.protocolVersion;
  return { client, version };
}

async function readAll(listPage, member) {
  const found = [];
  for (let page = await listPage(); ; page = await listPage({ cursor: page.nextCursor })) {
    found.push(...page[member]);
    if (page.nextCursor === undefined) return found;
  }
}

const attempt = (promise) => promise.catch((error) => ({ error: `${error.name}: ${error.message}` }));

async function visit(errand) {
  const { client, version } = await connect(errand.url, errand.token);
  const told = { version, got: [], called: [] };
  told.prompts = await readAll((params) => client.listPrompts(params, PATIENCE), "prompts");
  told.tools = await readAll((params) => client.listTools(params, PATIENCE), "tools");
  for (const [name, values] of errand.get) {
    told.got.push(await attempt(client.getPrompt({ name, arguments: values }, PATIENCE)));
  }
  for (const [name, values] of errand.call) {
    const call = { name, arguments: values };
    told.called.push(await attempt(line === "v2" ? client.callTool(call, PATIENCE) : client.callTool(call, undefined, PATIENCE)));
  }
  await client.close();
  return told;
}

async function tryWrongToken(errand) {
  try {
    const { client } = await connect(errand.url, errand.wrong_token);
    await client.listPrompts(undefined, PATIENCE);
    return "taken";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const errand = JSON.parse(Buffer.concat(chunks).toString());
const told = { ...(await visit(errand)), refused: await tryWrongToken(errand) };
process.stdout.write(JSON.stringify(told), () => process.exit(0));
