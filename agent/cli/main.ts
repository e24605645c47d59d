#!/usr/bin/env node
/** The program. Nothing waits here: a plugin may import what this file does while the agent runs. */
import { main } from "./start.js";

void main();
