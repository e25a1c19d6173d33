"""What counts as a request of a pod, and who is left out?"""

from aiohttp import web

from mesh.emulator import request_totals as totals

TEXT = """# TYPE istio_requests_total counter
istio_requests_total{reporter="source",response_code="200"} 40.0
istio_requests_total{reporter="destination",response_code="200"} 5.0
istio_requests_total{reporter="destination",response_code="503"} 2.0
istio_request_bytes_count{reporter="destination"} 7.0
"""


def test_count() -> None:
    assert totals.count(TEXT) == 7.0
    assert totals.count("") == 0.0


async def test_who_does_not_answer_is_left_out() -> None:
    app = web.Application()

    async def figures(request: web.Request) -> web.Response:
        return web.Response(text=TEXT)

    app.router.add_get("/stats/prometheus", figures)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        assert await totals.request_totals(["127.0.0.1", "127.0.0.77"], port) == {"127.0.0.1": 7.0}
        assert await totals.request_totals([], port) == {}
    finally:
        await runner.cleanup()
