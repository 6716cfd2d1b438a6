/**
 * Metrics as Prometheus counts them (prometheus.io/docs/concepts/metric_types): counters that only grow, gauges that are
 * read when somebody asks, histograms of durations. Ours and not prom-client's, since that costs the agent 6 MB of its
 * 75 and brings a dialect of each that nobody here needs.
 */

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** What is known of a metric before anything was measured. */
export interface MetricHead<L extends string = string> {
  /** Base units and suffixes as Prometheus wants them: `_seconds`, `_bytes`, `_total` for counters. */
  readonly name: string;
  /** One sentence: what it counts, and what one should think of it. */
  readonly help: string;
  readonly labels?: readonly L[];
}

export type Labels<L extends string = string> = Readonly<Record<L, string>>;

/** One number. A histogram has several: `_bucket` with the label `le`, `_sum`, `_count`. */
export interface Sample {
  readonly suffix: '' | '_bucket' | '_sum' | '_count';
  readonly labels: Labels;
  readonly value: number;
}

/** A metric with all its numbers. */
export interface Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** What a gauge or an outside counter says when it is asked. */
export interface Reading<L extends string = string> {
  readonly labels?: Labels<L>;
  readonly value: number;
}

/** From a fraction of a millisecond to ten seconds: passes of the loop, commits, answers of an API. */
const DURATION_BUCKETS_SEC = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** More combinations of labels than this are a fault of ours, and would fill the memory. */
const SERIES_MAX = 10_000;

export interface Counter<L extends string = never> {
  add(labels: Labels<L>, by?: number): void;
}

export interface Histogram<L extends string = never> {
  observe(labels: Labels<L>, value: number): void;
}

interface Metric {
  readonly head: MetricHead;
  readonly type: MetricType;
  readonly samples: () => Iterable<Sample>;
}

export class Registry {
  readonly #metrics = new Map<string, Metric>();

  /** @param start label values that are there from the beginning, at 0, so that a first increase is seen as one */
  counter<const L extends string = never>(head: MetricHead<L>, start: readonly Labels<L>[] = []): Counter<L> {
    const series = new Series<{ value: number }>(head, () => ({ value: 0 }));
    for (const labels of start) series.at(labels);
    this.#put(head, 'counter', () => series.map(({ labels, state }) => [sample('', labels, state.value)]));
    return {
      add: (labels, by = 1) => {
        const state = series.at(labels);
        if (state !== undefined) state.value += by;
      },
    };
  }

  /** A counter that is kept elsewhere. */
  counted<const L extends string = never>(head: MetricHead<L>, read: () => Iterable<Reading<L>>): void {
    this.#put(head, 'counter', () => readings(head, read));
  }

  gauge<const L extends string = never>(head: MetricHead<L>, read: () => Iterable<Reading<L>>): void {
    this.#put(head, 'gauge', () => readings(head, read));
  }

  /** @param buckets upper bounds, ascending; `+Inf` comes by itself */
  histogram<const L extends string = never>(
    head: MetricHead<L>,
    buckets: readonly number[] = DURATION_BUCKETS_SEC,
  ): Histogram<L> {
    const series = new Series(head, () => ({ counts: new Array<number>(buckets.length + 1).fill(0), sum: 0 }));
    this.#put(head, 'histogram', () =>
      series.map(({ labels, state }) => {
        let count = 0;
        const cumulative = state.counts.map((own, index) => {
          count += own;
          const le = index < buckets.length ? String(buckets[index]) : '+Inf';
          return sample('_bucket', { ...labels, le }, count);
        });
        return [...cumulative, sample('_sum', labels, state.sum), sample('_count', labels, count)];
      }),
    );
    return {
      observe: (labels, value) => {
        const state = series.at(labels);
        if (state === undefined) return;
        const found = buckets.findIndex((bound) => value <= bound);
        const index = found === -1 ? buckets.length : found;
        state.counts[index] = (state.counts[index] ?? 0) + 1;
        state.sum += value;
      },
    };
  }

  /** Every metric that there is, with what it means, also those without a number yet. */
  heads(): readonly (MetricHead & { readonly type: MetricType })[] {
    return Array.from(this.#metrics.values(), ({ head, type }) => ({ ...head, type }));
  }

  /** Reads everything now. */
  read(): Family[] {
    return Array.from(this.#metrics.values(), ({ head: { name, help }, type, samples }) => ({
      name,
      type,
      help,
      samples: [...samples()],
    }));
  }

  #put(head: MetricHead, type: MetricType, samples: Metric['samples']): void {
    const { name, labels = [] } = head;
    // Without its `_total`, a counter must still have a name of its own: so OpenMetrics calls it.
    const isNew = ![name, `${name}_total`, name.replace(/_total$/, '')].some((other) => this.#metrics.has(other));
    if (!/^[a-z][a-z0-9_]*$/.test(name) || (type === 'counter') !== name.endsWith('_total') || !isNew)
      throw new TypeError(`${name} is not a name for a new ${type}`);
    if (labels.some((label) => !/^[a-z][a-z0-9_]*$/.test(label) || label === 'le'))
      throw new TypeError(`${name} has a label that is none: ${labels.join()}`);
    this.#metrics.set(name, { head, type, samples });
  }
}

/** The numbers of one metric by their labels, in the order in which they came. */
class Series<S> {
  readonly #head: MetricHead;
  readonly #make: () => S;
  readonly #rows = new Map<string, { readonly labels: Labels; readonly state: S }>();

  constructor(head: MetricHead, make: () => S) {
    this.#head = head;
    this.#make = make;
    if ((head.labels ?? []).length === 0) this.at({});
  }

  /** @returns undefined when there are too many already */
  at(labels: Labels): S | undefined {
    const names = this.#head.labels ?? [];
    const key = names.map((name) => labels[name]).join('\0');
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= SERIES_MAX) return undefined;
      row = { labels: checked(this.#head, labels), state: this.#make() };
      this.#rows.set(key, row);
    }
    return row.state;
  }

  map<T>(body: (row: { readonly labels: Labels; readonly state: S }) => readonly T[]): T[] {
    return [...this.#rows.values()].flatMap(body);
  }
}

function readings(head: MetricHead, read: () => Iterable<Reading>): Sample[] {
  return Array.from(read(), ({ labels = {}, value }) => sample('', checked(head, labels), value));
}

/** @throws TypeError when the labels are not those that the metric has */
function checked({ name, labels: names = [] }: MetricHead, labels: Labels): Labels {
  if (Object.keys(labels).length === names.length && names.every((label) => labels[label] !== undefined)) return labels;
  throw new TypeError(`${name} has the labels ${names.join()}, not ${Object.keys(labels).join()}`);
}

function sample(suffix: Sample['suffix'], labels: Labels, value: number): Sample {
  return { suffix, labels, value };
}
