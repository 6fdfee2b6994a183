// The platform's own tokens. The chat server verifies the same ones, with the same secret.
import jwt from "jsonwebtoken";

const ALGORITHM = "HS256";

export class Tokens {
  constructor(secret) {
    this.secret = secret;
  }

  /** A token for `user`. The chat server reads the claims `userId` and `role`. */
  issue(user) {
    const claims = { userId: String(user._id), role: user.role };
    return jwt.sign(claims, this.secret, { algorithm: ALGORITHM, expiresIn: "7d" });
  }

  /** The claims of a token, or null if it does not verify. */
  read(token) {
    try {
      return jwt.verify(token, this.secret, { algorithms: [ALGORITHM] });
    } catch {
      return null;
    }
  }
}
