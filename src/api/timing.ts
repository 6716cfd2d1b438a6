/** Tells the metrics how long each answer took. Streams are answers that do not end, and are left out. */
import type { FastifyInstance } from 'fastify';
import type { ApiMetrics } from '../metrics/api-metrics.ts';

export function timeAnswers(app: FastifyInstance, api: string, metrics: ApiMetrics): void {
  app.addHook('onResponse', (request, reply, done) => {
    const isStream = String(reply.raw.getHeader('content-type') ?? '').startsWith('text/event-stream');
    const { url = 'other' } = request.is404 ? {} : request.routeOptions;
    const method = request.is404 ? 'other' : request.method;
    if (!isStream) metrics.answered(api, method, url, reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
}
