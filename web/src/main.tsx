import { render } from "preact";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/sign-in.css";
import "./styles/list.css";
import "./styles/conversation.css";
import "./state/live";
import { loadDemo } from "./state/demo";
import { App } from "./views/App";

void loadDemo();
render(<App />, document.getElementById("app")!);
