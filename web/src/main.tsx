import { render } from "preact";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/overlays.css";
import "./styles/sign-in.css";
import "./styles/list.css";
import "./styles/conversation.css";
import "./styles/messages.css";
import "./styles/composer.css";
import "./page/attention";
import { loadDemo } from "./page/demo";
import { App } from "./views/App";

void loadDemo();
render(<App />, document.getElementById("app")!);
