// The tokens of a model: from texts to ids and back, as seq2seq_zoo/data/vocabulary.py does it.

const FEATURES = ";";
const PADDING = 0;
/** White space as Python's `str.split` knows it. */
const SPACES = /[\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;

export class Vocabulary {
  constructor({ tokens, separator, start, end, unknown, normalize }) {
    Object.assign(this, { tokens, separator, start, end, unknown, form: normalize ?? "none" });
    this.special = new Set([PADDING, start, end, unknown]);
    this.ids = new Map(tokens.map((token, id) => [token, id]).filter(([, id]) => !this.special.has(id)));
  }

  /** The tokens of a text. */
  split(text) {
    if (this.form !== "none") text = text.normalize(this.form.toUpperCase());
    if (this.separator === " ") return text.split(SPACES).filter(Boolean);
    if (this.separator === "") return [...text];
    const space = text.indexOf(" ");
    const [features, rest] = space < 0 ? [text, ""] : [text.slice(0, space), text.slice(space + 1)];
    return [
      ...features
        .split(FEATURES)
        .filter(Boolean)
        .map((each) => each + FEATURES),
      ...rest,
    ];
  }

  /** The text of tokens. */
  join(tokens) {
    let text = tokens.join(this.separator);
    if (this.separator === FEATURES) {
      const single = (token) => [...token].length === 1;
      const features = tokens.filter((token) => !single(token)).map((token) => token.replace(/;$/, ""));
      text = `${features.join(FEATURES)} ${tokens.filter(single).join("")}`;
    }
    return this.form === "none" ? text : text.normalize("NFC");
  }

  /** The ids of tokens; those that are not known have the id for unknown ones, or none. */
  encode(tokens) {
    return tokens.map((token) => this.ids.get(token) ?? this.unknown);
  }

  /** The tokens of ids up to the end, without padding and start. */
  decode(ids) {
    const end = ids.indexOf(this.end);
    const real = end < 0 ? ids : ids.slice(0, end);
    return real.filter((id) => id !== PADDING && id !== this.start).map((id) => this.tokens[id]);
  }

  /** The distinct tokens that are not known. */
  unknownIn(tokens) {
    return [...new Set(tokens)].filter((token) => !this.ids.has(token));
  }

  /** The same text with the characters of unknown words apart, if all of these are known: "407" is "4 0 7". */
  apart(text) {
    if (this.separator !== " ") return text;
    const tokens = this.split(text);
    if (!this.unknownIn(tokens).length) return text;
    const known = (word) => [...word].every((character) => this.ids.has(character));
    if (!tokens.every((token) => this.ids.has(token) || known(token))) return text;
    return tokens.flatMap((token) => (this.ids.has(token) ? [token] : [...token])).join(" ");
  }

  /** Whether an id may be generated: not padding, not the start. */
  isOutput(id) {
    return id !== PADDING && id !== this.start;
  }
}
