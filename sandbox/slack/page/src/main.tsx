import { render } from "preact";
import { App } from "./components/App";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/messages.css";
import "./styles/blocks.css";
import "./styles/composer.css";
import "./styles/dialogs.css";

const root = document.getElementById("app");
if (root) render(<App />, root);
