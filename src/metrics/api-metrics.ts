/** How long an API takes to answer, by route. */
import type { Histogram, Registry } from './registry.ts';

export class ApiMetrics {
  readonly #durations: Histogram<'api' | 'method' | 'route' | 'status'>;

  constructor(registry: Registry) {
    this.#durations = registry.histogram({
      name: 'meshwork_http_request_duration_seconds',
      help: 'From a request to the end of its answer, by API, route and status. Streams are not counted.',
      labels: ['api', 'method', 'route', 'status'],
    });
  }

  /** @param route the pattern and not the path, or `other`: nobody from outside may make new series */
  answered(api: string, method: string, route: string, status: number, durationSec: number): void {
    this.#durations.observe({ api, method, route, status: String(status) }, durationSec);
  }
}
