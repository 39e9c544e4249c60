// What every page does.

import { startTicking } from "./clock.js";
import { startCommands } from "./commands.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";

startLive();
startTicking();
startKeys();
startCommands();
