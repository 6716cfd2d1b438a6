/** Times of answers, for the metrics. */
import type { FastifyInstance } from 'fastify';
import type { ApiMetrics } from '../metrics/api-metrics.ts';

/**
 * Reports the time of each answer of an application. Streams do not end and are left out.
 * @param api the application's name in the metrics
 */
export function timeAnswers(app: FastifyInstance, api: string, metrics: ApiMetrics): void {
  app.addHook('onResponse', (request, reply, done) => {
    const isStream = String(reply.raw.getHeader('content-type') ?? '').startsWith('text/event-stream');
    const { url = 'other' } = request.is404 ? {} : request.routeOptions;
    const method = request.is404 ? 'other' : request.method;
    if (!isStream) metrics.answered(api, method, url, reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
}
