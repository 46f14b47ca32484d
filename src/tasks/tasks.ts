/** All tasks. To add one: a file beside this one, and an entry here. */
import { classify } from "./classify.ts";
import type { AnyTaskDefinition } from "./task.ts";

/** The tasks, in the order in which they are shown. */
export const taskDefinitions: readonly AnyTaskDefinition[] = [classify];
