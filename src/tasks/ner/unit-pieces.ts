/** The pieces of a text whose units are tokenised one by one, so that no piece spans two of them. */
import type { Pieces } from "../../text/encoding.ts";
import type { BertTokenizer } from "../../text/tokenizer.ts";
import type { TextUnits } from "./text-units.ts";

/** Characters and common words: a few thousand. Beyond this, units are tokenised anew each time. */
const MAX_KNOWN_UNITS = 1 << 16;
/** Longer units are rarely seen twice. */
const MAX_KNOWN_LENGTH = 8;

/** Tokenises units; remembers those it has seen. */
export class UnitTokenizer {
  readonly tokenizer: BertTokenizer;
  readonly #known = new Map<string, Pieces>();

  constructor(tokenizer: BertTokenizer) {
    this.tokenizer = tokenizer;
  }

  /**
   * The pieces of all units with their offsets in the text; `words` says which unit each belongs to. Units that the
   * tokenizer drops (white space, control characters, zero-width ones) have none. Source: transformers,
   * is_split_into_words.
   */
  pieces({ text, units }: TextUnits): Pieces {
    const each = units.map(([start, end]) => this.#piecesOf(text.slice(start, end)));
    const count = each.reduce((sum, { ids }) => sum + ids.length, 0);
    const [ids, starts, ends, words] = [0, 1, 2, 3].map(() => new Int32Array(count)) as [
      Int32Array,
      Int32Array,
      Int32Array,
      Int32Array,
    ];
    let at = 0;
    each.forEach((pieces, unit) => {
      const offset = units[unit]?.[0] as number;
      ids.set(pieces.ids, at);
      for (let i = 0; i < pieces.ids.length; i++, at++) {
        starts[at] = offset + (pieces.starts[i] as number);
        ends[at] = offset + (pieces.ends[i] as number);
        words[at] = unit;
      }
    });
    return { ids, starts, ends, words };
  }

  #piecesOf(unit: string): Pieces {
    const known = this.#known.get(unit);
    if (known !== undefined) return known;
    const pieces = this.tokenizer.encodePieces(unit);
    if (unit.length <= MAX_KNOWN_LENGTH && this.#known.size < MAX_KNOWN_UNITS) this.#known.set(unit, pieces);
    return pieces;
  }
}
