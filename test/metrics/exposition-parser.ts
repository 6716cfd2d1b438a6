/**
 * A parser of Prometheus' text format. It is written from the description alone (prometheus.io/docs/instrumenting/
 * exposition_formats) and shares no code with the writer. Whatever the description does not allow is an error.
 */

/** One line with a value. `name` has the suffix, such as `_bucket`. */
export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples below one HELP and TYPE. */
export interface ReadFamily {
  readonly name: string;
  help?: string;
  type?: string;
  readonly samples: ReadSample[];
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
};

/** All families by name. @throws SyntaxError with the line that is wrong */
export function readExposition(text: string): Map<string, ReadFamily> {
  if (text !== '' && !text.endsWith('\n')) throw new SyntaxError('the last line does not end');
  const families = new Map<string, ReadFamily>();
  let current: ReadFamily | undefined;
  for (const line of text.split('\n').slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment !== null) {
      const [, word, name = '', rest = ''] = comment;
      if (current?.name !== name) {
        if (families.has(name)) throw new SyntaxError(`${name} is in two places`);
        current = { name, samples: [] };
        families.set(name, current);
      }
      if (current.samples.length > 0) throw new SyntaxError(`${line} comes behind the samples`);
      if (word === 'HELP') current.help = rest.replace(/\\([\\n])/g, (_, sign) => (sign === 'n' ? '\n' : '\\'));
      else current.type = rest;
      continue;
    }
    const sample = readSample(line);
    const suffixes: readonly string[] | undefined = SUFFIXES[current?.type ?? ''];
    if (current === undefined || suffixes?.some((suffix) => sample.name === current?.name + suffix) !== true)
      throw new SyntaxError(`${line} does not belong to ${current?.name}`);
    current.samples.push(sample);
  }
  return families;
}

function readSample(line: string): ReadSample {
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0];
  if (name === undefined) throw new SyntaxError(line);
  const labels: Record<string, string> = {};
  let at = name.length;
  if (line[at] === '{') {
    at++;
    while (line[at] !== '}') {
      const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="/.exec(line.slice(at));
      if (label?.[1] === undefined || label[1] in labels) throw new SyntaxError(line);
      at += label[0].length;
      let value = '';
      for (; line[at] !== '"'; at++) {
        if (line[at] === undefined) throw new SyntaxError(line);
        if (line[at] !== '\\') value += line[at];
        else value += { n: '\n', '\\': '\\', '"': '"' }[line[++at] ?? ''] ?? fail(line);
      }
      labels[label[1]] = value;
      at++;
      if (line[at] === ',') at++;
      else if (line[at] !== '}') throw new SyntaxError(line);
    }
    at++;
  }
  const number = /^ (\+Inf|-Inf|NaN|[-+0-9.e]+)$/.exec(line.slice(at))?.[1];
  if (number === undefined) throw new SyntaxError(line);
  const value = Number(number.replace('Inf', 'Infinity'));
  if (Number.isNaN(value) && number !== 'NaN') throw new SyntaxError(line);
  return { name, labels, value };
}

function fail(line: string): never {
  throw new SyntaxError(line);
}
