/**
 * Metrics as Prometheus defines them (prometheus.io/docs/concepts/metric_types): counters that only grow, gauges that
 * are read on request, histograms of durations. Our own, since prom-client costs the agent 6 MB of its 75 MB, for
 * features that Meshwork does not need.
 */

/** The types that we use; there are no summaries. */
export type MetricType = 'counter' | 'gauge' | 'histogram';

/** The definition of a metric. */
export interface MetricHead<L extends string = string> {
  /** With the base units and suffixes of Prometheus: `_seconds`, `_bytes`, `_total` for counters. */
  readonly name: string;
  /** One sentence: what the metric counts, and how to judge its value. */
  readonly help: string;
  readonly labels?: readonly L[];
}

/** A value for each label of a metric. */
export type Labels<L extends string = string> = Readonly<Record<L, string>>;

/** One number of a metric. A histogram has several: `_bucket` with the label `le`, `_sum`, `_count`. */
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

/** One value that a gauge, or a counter kept elsewhere, reports when it is read. */
export interface Reading<L extends string = string> {
  readonly labels?: Labels<L>;
  readonly value: number;
}

/** From a fraction of a millisecond to ten seconds: passes of the loop, commits, answers of an API. */
const DURATION_BUCKETS_SEC = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** More combinations of labels than this are a bug in our code, and would fill the memory. */
const SERIES_MAX = 10_000;

/** A number for each combination of labels, which only grows. */
export interface Counter<L extends string = never> {
  add(labels: Labels<L>, by?: number): void;
}

/** Counts of observed values by bucket, for each combination of labels. */
export interface Histogram<L extends string = never> {
  observe(labels: Labels<L>, value: number): void;
}

interface Metric {
  readonly head: MetricHead;
  readonly type: MetricType;
  readonly samples: () => Iterable<Sample>;
}

/**
 * All metrics of a process. Registering a metric with a bad name or label, or twice, throws TypeError; so does a value
 * with other labels.
 */
export class Registry {
  readonly #metrics = new Map<string, Metric>();

  /**
   * Registers a counter that the caller increases.
   * @param start combinations of labels that exist from the beginning, at 0, so that the first increase is visible
   */
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

  /** Registers a counter that is kept elsewhere; `read` is called for each exposition. */
  counted<const L extends string = never>(head: MetricHead<L>, read: () => Iterable<Reading<L>>): void {
    this.#put(head, 'counter', () => readings(head, read));
  }

  /** Registers a gauge; `read` is called for each exposition. */
  gauge<const L extends string = never>(head: MetricHead<L>, read: () => Iterable<Reading<L>>): void {
    this.#put(head, 'gauge', () => readings(head, read));
  }

  /**
   * Registers a histogram.
   * @param buckets upper bounds, ascending; `+Inf` is added
   */
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

  /** The definitions of all metrics, also of those without a value yet. */
  heads(): readonly (MetricHead & { readonly type: MetricType })[] {
    return Array.from(this.#metrics.values(), ({ head, type }) => ({ ...head, type }));
  }

  /** Reads all metrics now. */
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
    // The names without `_total` must differ, too: OpenMetrics uses those for families.
    const isNew = ![name, `${name}_total`, name.replace(/_total$/, '')].some((other) => this.#metrics.has(other));
    if (!/^[a-z][a-z0-9_]*$/.test(name) || (type === 'counter') !== name.endsWith('_total') || !isNew)
      throw new TypeError(`${name} is not a name for a new ${type}`);
    if (labels.some((label) => !/^[a-z][a-z0-9_]*$/.test(label) || label === 'le'))
      throw new TypeError(`${name} has a label that is none: ${labels.join()}`);
    this.#metrics.set(name, { head, type, samples });
  }
}

/** The state of one metric for each combination of labels, in the order of their first use. */
class Series<S> {
  readonly #head: MetricHead;
  readonly #make: () => S;
  readonly #byLabels = new Map<string, { readonly labels: Labels; readonly state: S }>();

  constructor(head: MetricHead, make: () => S) {
    this.#head = head;
    this.#make = make;
    if ((head.labels ?? []).length === 0) this.at({});
  }

  /**
   * The state for a combination of labels, made when it is new.
   * @returns undefined when there are SERIES_MAX combinations already
   * @throws TypeError for other labels than those of the metric
   */
  at(labels: Labels): S | undefined {
    const names = this.#head.labels ?? [];
    const key = names.map((name) => labels[name]).join('\0');
    let found = this.#byLabels.get(key);
    if (found === undefined) {
      if (this.#byLabels.size >= SERIES_MAX) return undefined;
      found = { labels: checked(this.#head, labels), state: this.#make() };
      this.#byLabels.set(key, found);
    }
    return found.state;
  }

  map<T>(body: (series: { readonly labels: Labels; readonly state: S }) => readonly T[]): T[] {
    return [...this.#byLabels.values()].flatMap(body);
  }
}

function readings(head: MetricHead, read: () => Iterable<Reading>): Sample[] {
  return Array.from(read(), ({ labels = {}, value }) => sample('', checked(head, labels), value));
}

/**
 * Passes labels through when they are those of the metric.
 * @throws TypeError when they are not
 */
function checked({ name, labels: names = [] }: MetricHead, labels: Labels): Labels {
  if (Object.keys(labels).length === names.length && names.every((label) => labels[label] !== undefined)) return labels;
  throw new TypeError(`${name} has the labels ${names.join()}, not ${Object.keys(labels).join()}`);
}

function sample(suffix: Sample['suffix'], labels: Labels, value: number): Sample {
  return { suffix, labels, value };
}
