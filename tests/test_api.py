"""The HTTP API of a real server: what it accepts, what it refuses and how it says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness import Server, listening, new_session, running_server, until, watching


def assert_problem(response: object, status: int, code: str) -> None:
    assert response.status_code == status, response.text  # type: ignore[attr-defined]
    error = response.json()["error"]  # type: ignore[attr-defined]
    assert error["code"] == code
    assert error["message"]["en"] and error["message"]["zh"]
    assert isinstance(error["retryable"], bool)


async def test_a_session_lives_from_post_to_delete(server: Server) -> None:
    async with server.client() as client:
        session = await new_session(client, "zh")
        shown = (await client.get(f"/api/v1/sessions/{session}")).json()
        assert shown["language"] == "zh" and shown["state"] == "idle"
        assert shown["brain"]["connected"] is False
        assert shown["voice"]["name"] == "espeak"
        assert session in [s["session"] for s in (await client.get("/api/v1/sessions")).json()]
        assert (await client.delete(f"/api/v1/sessions/{session}")).status_code == 204
        for _ in range(100):
            if (await client.get(f"/api/v1/sessions/{session}")).status_code == 404:
                break
            await asyncio.sleep(0.02)
        assert_problem(await client.get(f"/api/v1/sessions/{session}"), 404, "no_such_session")


async def test_an_unknown_path_is_told_in_the_same_shape(server: Server) -> None:
    async with server.client() as client:
        assert_problem(await client.get("/api/v1/nothing"), 404, "http_404")


async def test_half_a_character_breaks_nothing(server: Server) -> None:
    """A page that cuts a text in the middle of an emoji sends this."""
    async with server.client() as client:
        session = await new_session(client)
        path, half = f"/api/v1/sessions/{session}", b'{"text": "thank you \\ud83d"}'
        headers = {"content-type": "application/json"}
        async with listening(client, session) as events:
            for what in ("chat", "say", "messages"):
                taken = await client.post(f"{path}/{what}", content=half, headers=headers)
                assert taken.status_code == 202, taken.text
            await events.first("turn", turn=2)
        assert events.of("user")[0]["text"] == "thank you \ufffd"
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["chat", "say", "interrupt"])
async def test_an_unknown_session_is_404(server: Server, path: str) -> None:
    async with server.client() as client:
        response = await client.post(f"/api/v1/sessions/nobody/{path}", json={"text": "hi"})
        assert_problem(response, 404, "no_such_session")


async def test_texts_that_cannot_be_said_are_refused(server: Server) -> None:
    async with server.client() as client:
        session = await new_session(client)
        chat = f"/api/v1/sessions/{session}/chat"
        assert_problem(await client.post(chat, json={"text": "  \n"}), 422, "empty_text")
        assert_problem(await client.post(chat, json={"text": "好" * 2001}), 413, "text_too_long")
        assert_problem(await client.post(chat, json={}), 422, "invalid")
        assert_problem(await client.post(chat, content=b"not json"), 422, "invalid")
        huge = await client.post(chat, json={"text": "x" * 1_000_000})
        assert huge.status_code == 413
        assert (await client.post(chat, json={"text": "好" * 2000})).status_code == 202
        assert (await client.get(f"/api/v1/sessions/{session}")).status_code == 200
        await client.delete(f"/api/v1/sessions/{session}")


@pytest.mark.parametrize(
    ("offer", "kind", "status", "code"),
    [
        ("v=0", "text/plain", 415, "not_sdp"),
        ("this is no SDP", "application/sdp", 400, "bad_offer"),
        ("", "application/sdp", 400, "bad_offer"),
        ("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "application/sdp", 422, "bad_offer"),
        ("v" * 70_000, "application/sdp", 413, "offer_too_long"),
    ],
)
async def test_wrong_offers_are_refused_and_the_session_lives_on(
    server: Server, offer: str, kind: str, status: int, code: str
) -> None:
    async with server.client() as client:
        session = await new_session(client)
        answer = await client.post(
            f"/whep/{session}", content=offer, headers={"content-type": kind}
        )
        assert_problem(answer, status, code)
        async with watching(client, session) as viewer:
            assert viewer.pictures
        await client.delete(f"/api/v1/sessions/{session}")


async def test_whep_answers_created_with_a_location_that_ends_the_viewer(server: Server) -> None:
    async with server.client() as client:
        session = await new_session(client)
        async with listening(client, session), watching(client, session) as viewer:
            shown = (await client.get(f"/api/v1/sessions/{session}")).json()
            assert shown["viewers"] == 1
            assert (await client.patch(viewer.location)).status_code == 405
            assert (await client.delete(viewer.location)).status_code == 200

            async def gone() -> bool:
                shown = (await client.get(f"/api/v1/sessions/{session}")).json()
                return bool(shown["viewers"] == 0)

            for _ in range(100):
                if await gone():
                    break
                await asyncio.sleep(0.02)
            assert await gone()
            assert_problem(await client.delete(viewer.location), 404, "no_such_viewer")
        await client.delete(f"/api/v1/sessions/{session}")


async def test_other_web_sites_cannot_reach_a_local_server(server: Server) -> None:
    async with server.client() as client:
        response = await client.get("/api/v1/info", headers={"host": "evil.example"})
        assert response.status_code == 400


async def test_docs_health_and_metrics(server: Server) -> None:
    async with server.client() as client:
        assert (await client.get("/healthz")).json()["status"] == "ok"
        assert "/api/v1/sessions/{session}/chat" in (await client.get("/openapi.json")).text
        assert "mien_sessions" in (await client.get("/metrics")).text
        info = (await client.get("/api/v1/info")).json()
        assert info["languages"] == ["zh", "en"] and info["max_text"] == 2000
        assert {a["name"] for a in info["avatars"] if a["ready"]} == {"mei", "lin"}


async def test_beyond_loopback_a_token_is_needed(tmp_path: Path) -> None:
    environment = {"MIEN_TOKEN": "correct horse"}
    with running_server(tmp_path, environment=environment) as guarded:
        async with guarded.client() as client:
            assert_problem(await client.get("/api/v1/info"), 401, "no_token")
            assert_problem(await client.post("/whep/x", content=""), 401, "no_token")
            wrong = {"Authorization": "Bearer wrong"}
            assert (await client.get("/api/v1/info", headers=wrong)).status_code == 401
            right = {"Authorization": "Bearer correct horse"}
            assert (await client.get("/api/v1/info", headers=right)).status_code == 200
            asked = await client.get("/api/v1/info", params={"token": "correct horse"})
            assert asked.status_code == 200
            assert (await client.get("/")).status_code == 200


async def test_a_full_server_says_so_and_an_abandoned_session_is_freed(tmp_path: Path) -> None:
    environment = {"MIEN_SESSIONS__MAX": "1", "MIEN_SESSIONS__IDLE_SEC": "1"}
    with running_server(tmp_path, environment=environment) as small:
        async with small.client() as client:
            await new_session(client)
            refused = await client.post("/api/v1/sessions", json={})
            assert_problem(refused, 503, "full")
            assert refused.json()["error"]["retryable"]
            statuses: list[int] = []

            async def freed() -> None:
                while not statuses or statuses[-1] != 201:
                    await asyncio.sleep(0.2)
                    response = await client.post("/api/v1/sessions", json={})
                    statuses.append(response.status_code)

            await asyncio.wait_for(freed(), 60)


async def test_using_a_session_keeps_it_alive_and_looking_does_not(tmp_path: Path) -> None:
    with running_server(tmp_path, environment={"MIEN_SESSIONS__IDLE_SEC": "1"}) as short:
        async with short.client() as client:
            session = await new_session(client)
            for _ in range(3):
                await asyncio.sleep(0.6)
                used = await client.post(f"/api/v1/sessions/{session}/interrupt")
                assert used.status_code == 200
            status, looks = 200, 0
            while status == 200 and looks < 600:
                await asyncio.sleep(0.1)
                status, looks = (
                    (await client.get(f"/api/v1/sessions/{session}")).status_code,
                    looks + 1,
                )
            assert status == 404 and looks > 1


async def test_two_viewers_share_one_encoder(server: Server) -> None:
    async with server.client() as client:
        session = await new_session(client)
        async with watching(client, session) as one, watching(client, session) as two:
            seen = len(one.pictures), len(two.pictures)
            await until(
                lambda: len(one.pictures) > seen[0] + 20 and len(two.pictures) > seen[1] + 20,
                "pictures for both",
            )
        await client.delete(f"/api/v1/sessions/{session}")


async def test_offers_may_name_video_first_and_need_both_kinds(server: Server) -> None:
    async with server.client() as client:
        session = await new_session(client)
        async with watching(client, session, kinds=("video", "audio")) as viewer:
            assert viewer.pictures and viewer.sounds
        with pytest.raises(AssertionError, match="bad_offer"):
            async with watching(client, session, kinds=("audio",)):
                pass
        await client.delete(f"/api/v1/sessions/{session}")


async def test_ports_address_and_picture_size_are_as_configured(tmp_path: Path) -> None:
    environment = {
        "MIEN_WEBRTC__PORT_RANGE": "[47100, 47109]",
        "MIEN_WEBRTC__PUBLIC_ADDRESS": "203.0.113.7",
        "MIEN_VIDEO__WIDTH": "320",
        "MIEN_VIDEO__HEIGHT": "256",
        "MIEN_GREET": "false",
    }
    with running_server(tmp_path, environment=environment) as confined:
        async with confined.client() as client:
            session = await new_session(client)
            async with watching(client, session) as viewer:
                sdp = viewer.connection.remoteDescription.sdp
                candidates = [line.split() for line in sdp.splitlines() if "a=candidate" in line]
                assert candidates
                assert all(47100 <= int(candidate[5]) <= 47109 for candidate in candidates)
                assert "203.0.113.7" in {candidate[4] for candidate in candidates}
                assert viewer.pictures[-1][1].shape == (256, 320, 3)


async def test_voices_are_asked_whether_they_could_speak(tmp_path: Path) -> None:
    (tmp_path / "mien.toml").write_text(
        'voice = "anna"\n[voices.anna]\nservice = "gpt-sovits"\nurl = "http://127.0.0.1:9"\n'
        'ref_audio_path = "a"\nprompt_text = "b"\n[voices.robot]\nservice = "espeak"\n'
        '[voices.odd]\nservice = "parrot"\n'
    )
    with running_server(tmp_path, environment={"MIEN_GREET": "false"}) as served:
        async with served.client() as client:
            listed = (await client.get("/api/v1/info")).json()["voices"]
            assert [voice["name"] for voice in listed] == ["anna", "espeak"]
            rows = (await client.get("/api/v1/voices")).json()
            assert [(row["name"], row["chosen"], row["ready"]) for row in rows] == [
                ("anna", True, False),
                ("espeak", True, True),
                ("robot", False, True),
                ("odd", False, False),
                ("lin", False, True),  # a persona's
            ]
            assert "127.0.0.1:9" in rows[0]["why_not"]["en"] and rows[0]["why_not"]["zh"]
            assert "parrot" in rows[3]["why_not"]["en"]
            session = await new_session(client)
            voice = (await client.get(f"/api/v1/sessions/{session}")).json()["voice"]
            assert voice["name"] == voice["wanted"] == "anna" and voice["why"] is None
            async with listening(client, session) as events, watching(client, session):
                await client.post(f"/api/v1/sessions/{session}/say", json={"text": "Hello there."})
                told = await events.first("voice")
                assert told["name"] == "espeak" and told["wanted"] == "anna"
                assert told["why"]["en"] and told["why"]["zh"] and told["label"]["zh"]
                assert (await events.first("turn"))["text"] == "Hello there."
            voice = (await client.get(f"/api/v1/sessions/{session}")).json()["voice"]
            assert voice["name"] == "espeak" and voice["why"]
