// Starts the platform. With API_URL it joins a chat server that runs there; otherwise it starts one of its own.
import { memoryData } from "./src/data/memory.js";
import { PASSWORD, seed } from "./src/data/seed.js";
import { ownServer } from "./src/own-server.js";
import { createPlatform } from "./src/platform.js";
import { readSettings } from "./src/settings.js";

async function start() {
  const environment = process.env.API_URL ? process.env : { ...process.env, ...(await ownServer(process.env)) };
  const settings = readSettings(environment);
  const data = memoryData();
  await seed(data);
  const { app, bringUsers } = createPlatform(settings, data);
  const server = app.listen(settings.port, "127.0.0.1", async (error) => {
    if (error) return fail(error);
    await bringUsers();
    console.log(`The platform is at http://127.0.0.1:${server.address().port}, its chat at ${settings.chatUrl}.`);
    const people = (await data.User.find()).map(({ email }) => email);
    console.log(`Sign in as ${people.join(", ")}; the password is "${PASSWORD}".`);
  });
}

function fail(error) {
  console.error(error.message);
  process.exit(1);
}

start().catch(fail);
