// What the routes share: who asks, and how errors are answered.

/** An error that the caller is told. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Middleware: `request.user` is who the token names. */
export function signedIn({ tokens, data }) {
  return async (request, response, next) => {
    const [, token] = request.get("authorization")?.match(/^Bearer (.+)$/) ?? [];
    const claims = token && tokens.read(token);
    const user = claims && (await data.User.findById(claims.userId));
    if (!user) throw new Refusal(401, "Please sign in");
    if (isSuspended(user)) throw new Refusal(403, "This account is suspended");
    request.user = user;
    next();
  };
}

export function isSuspended({ suspension }, now = new Date()) {
  return suspension !== null && !(suspension.until && new Date(suspension.until) <= now);
}

/** Middleware behind `signedIn`. */
export function adminsOnly(request, response, next) {
  if (request.user.role !== "admin") throw new Refusal(403, "Admins only");
  next();
}

/** The field of a body as a text without white space around it; refuses any other. */
export function text(body, name) {
  const value = body?.[name];
  if (typeof value !== "string" || value.trim() === "") throw new Refusal(422, `${name} is required`);
  return value.trim();
}

/** Those of the named fields that the body has, as texts. */
export function texts(body, names) {
  return Object.fromEntries(names.filter((name) => body?.[name] !== undefined).map((name) => [name, text(body, name)]));
}

/** Express's last middleware: errors as JSON. */
export function answerError(error, request, response, next) {
  if (response.headersSent) return next(error);
  // `status` also stands on the errors of Express's own body parsers.
  const status = error.status ?? 500;
  if (status >= 500) console.error(error);
  response.status(status).json({ message: status >= 500 ? "Something went wrong" : error.message });
}
