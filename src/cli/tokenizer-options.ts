/** Options that several commands share: how text is tokenised where no model says it. */
import { CURLY_QUOTES } from "../text/fold-plan.ts";
import type { CommandContext, CommandOption } from "./command.ts";

/** `--curly-quotes`. */
export const curlyQuotesOption: CommandOption = {
  flags: "--curly-quotes <how>",
  description:
    "keep “ ” ‘ ’ as they are, or map them to \" and ', for vocabularies without them (default: as the vocabulary's folder says, else keep)",
  choices: CURLY_QUOTES,
};

/** The choice of `--curly-quotes`, left out where it was not given. */
export function curlyQuotesOf(options: CommandContext["options"]): object {
  return options["curlyQuotes"] === undefined ? {} : { curlyQuotes: options["curlyQuotes"] };
}
