// The moderation page.
import { render } from "preact";
import "../styles/base.css";
import "../styles/parts.css";
import "../styles/overlays.css";
import "../styles/sign-in.css";
import "../styles/admin.css";
import { language } from "../language";
import { App } from "./App";

document.documentElement.lang = language;
render(<App />, document.getElementById("app")!);
