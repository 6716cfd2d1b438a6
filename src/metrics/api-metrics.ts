/** Durations of API requests, by route. */
import type { Histogram, Registry } from './registry.ts';

/** A histogram that the HTTP servers of a process share. */
export class ApiMetrics {
  readonly #durations: Histogram<'api' | 'method' | 'route' | 'status'>;

  constructor(registry: Registry) {
    this.#durations = registry.histogram({
      name: 'meshwork_http_request_duration_seconds',
      help: 'From a request to the end of its answer, by API, route and status. Streams are not counted.',
      labels: ['api', 'method', 'route', 'status'],
    });
  }

  /**
   * Records one finished request.
   * @param route the pattern of the route, not the path, or `other`: clients must not be able to create new series
   */
  answered(api: string, method: string, route: string, status: number, durationSec: number): void {
    this.#durations.observe({ api, method, route, status: String(status) }, durationSec);
  }
}
