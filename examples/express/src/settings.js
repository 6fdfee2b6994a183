// The settings of the platform, from the environment.

/** Reads the settings; throws an error that names the one that is missing. */
export function readSettings(environment) {
  const required = (name, meaning) => {
    if (!environment[name]) throw new Error(`${name} is missing: ${meaning}`);
    return environment[name];
  };
  const apiUrl = required("API_URL", "where the chat server is, such as http://127.0.0.1:3000").replace(/\/$/, "");
  return {
    port: Number(environment.PORT ?? 4000),
    apiUrl,
    /** One of the chat server's API_KEYS. */
    apiKey: required("API_KEY", "one of the chat server's API_KEYS"),
    /** The chat server's address for browsers, where that is another one than for this process. */
    chatUrl: environment.CHAT_URL?.replace(/\/$/, "") ?? apiUrl,
    webhookSecret: required("WEBHOOK_SECRET", "the chat server's WEBHOOK_SECRET; `horse-trust webhooks secret` makes one"),
    jwtSecret: required("JWT_SECRET", "the chat server's JWT_SECRET"),
  };
}
