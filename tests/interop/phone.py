"""A pjsua2 phone for tests: commands as lines on stdin, what happens as JSON lines on stdout.

    phone.py '{"id": "sip:4700@127.0.0.1", "address": "127.0.0.1", "port": 5060, "transport": "udp", "codec": "PCMA/8000",
               "tone": "tone.wav", "registrar": "sip:...", "user": "amara", "password": "...", "realm": "...", "answer": true}'

    call URI | answer | reject CODE | hold | resume | transfer URI | rfc2833 DIGITS | info DIGITS | play WAV | record WAV |
    stop-recording | hangup | unregister | quit
"""

import ctypes
import glob
import json
import os
import re
import select
import sys
import time

import pjsua2 as pj

# The wheel brings OpenSSL 1.0.2, which knows no digest by name before it is told to; without, pjsip answers no challenge.
for crypto in glob.glob(os.path.join(os.path.dirname(pj.__file__), "..", "pjsua2_python.libs", "libcrypto-*")):
    ctypes.CDLL(crypto).OpenSSL_add_all_digests()


KINDS = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}


def tell(event, **what):
    sys.stdout.write(json.dumps({"event": event, **what}) + "\n")
    sys.stdout.flush()


class Call(pj.Call):
    def __init__(self, phone, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(phone.account, call_id)
        self.phone = phone
        self.media = None

    def onCallState(self, prm):
        info = self.getInfo()
        tell("call", state=info.stateText, code=info.lastStatusCode, remote=info.remoteUri)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.media = None
            self.phone.call = None
            self.phone.gone.append(self)

    def onCallMediaState(self, prm):
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            names = {
                pj.PJSUA_CALL_MEDIA_ACTIVE: "active",
                pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "local-hold",
                pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "remote-hold",
                pj.PJSUA_CALL_MEDIA_NONE: "none",
            }
            codec = ""
            if media.status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD):
                stream = self.getStreamInfo(index)
                codec = f"{stream.codecName}/{stream.codecClockRate}"
                self.media = self.getAudioMedia(index)
                self.phone.connect()
            tell("media", state=names.get(media.status, "error"), codec=codec)

    def onCallSdpCreated(self, prm):
        if self.phone.options.get("telephone_event", True):
            return
        lines = prm.sdp.wholeSdp.splitlines()
        events = [re.match(r"a=rtpmap:(\d+) telephone-event", line) for line in lines]
        types = {event.group(1) for event in events if event}
        kept = [line for line in lines if not re.match(rf"a=(rtpmap|fmtp):({'|'.join(types)}) ", line)]
        for index, line in enumerate(kept):
            if line.startswith("m=audio "):
                kept[index] = " ".join(word for word in line.split() if word not in types)
        prm.sdp.wholeSdp = "\r\n".join(kept) + "\r\n"

    def onDtmfDigit(self, prm):
        tell("digit", digit=prm.digit)

    def onCallTransferStatus(self, prm):
        tell("transfer", code=prm.statusCode, final=prm.finalNotify)


class Account(pj.Account):
    def __init__(self, phone):
        super().__init__()
        self.phone = phone

    def onRegState(self, prm):
        tell("registered", code=prm.code, expires=prm.expiration)

    def onIncomingCall(self, prm):
        phone = self.phone
        call = Call(phone, prm.callId)
        info = call.getInfo()
        tell("incoming", remote=info.remoteUri)
        if phone.call is not None:
            answer(call, 486)
            phone.gone.append(call)
            return
        phone.call = call
        answer(call, 180)
        if phone.options.get("answer"):
            answer(call, 200)


def answer(call, code):
    prm = pj.CallOpParam(True)
    prm.statusCode = code
    call.answer(prm)


class Phone:
    def __init__(self, options):
        self.options = options
        self.call = None
        self.gone = []
        self.player = None
        self.recorder = None
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.logConfig.level = 4
        config.logConfig.consoleLevel = 0
        config.logConfig.filename = options["log"]
        config.medConfig.noVad = True
        config.medConfig.ecTailLen = 0
        self.endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.port = options["port"]
        transport.boundAddress = options["address"]
        if "tls" in options:
            tls = transport.tlsConfig
            tls.certFile, tls.privKeyFile = options["tls"]["certificate"], options["tls"]["key"]
            tls.CaListFile = options["tls"]["authority"]
            tls.verifyServer = True
        self.endpoint.transportCreate(KINDS[options["transport"]], transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        for codec in self.endpoint.codecEnum2():
            chosen = codec.codecId.startswith(options["codec"])
            self.endpoint.codecSetPriority(codec.codecId, 255 if chosen else 0)
        self.account = Account(self)
        self.account.create(self.settings())
        self.play(options["tone"])

    def settings(self):
        options = self.options
        settings = pj.AccountConfig()
        settings.idUri = options["id"]
        settings.mediaConfig.transportConfig.boundAddress = options["address"]
        settings.mediaConfig.transportConfig.port = options["media_port"]
        if options.get("srtp"):
            settings.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_MANDATORY
            settings.mediaConfig.srtpSecureSignaling = 0
        settings.natConfig.contactRewriteUse = 0
        settings.natConfig.sipOutboundUse = 0
        settings.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
        if "registrar" in options:
            settings.regConfig.registrarUri = options["registrar"]
            settings.regConfig.timeoutSec = 300
            credentials = pj.AuthCredInfo("digest", options["realm"], options["user"], 0, options["password"])
            settings.sipConfig.authCreds.append(credentials)
        return settings

    def connect(self):
        if self.call is None or self.call.media is None:
            return
        if self.player is not None:
            self.player.startTransmit(self.call.media)
        if self.recorder is not None:
            self.call.media.startTransmit(self.recorder)

    def play(self, path):
        if self.player is not None and self.call is not None and self.call.media is not None:
            self.player.stopTransmit(self.call.media)
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer(path)
        self.connect()

    def record(self, path):
        self.stop_recording()
        self.recorder = pj.AudioMediaRecorder()
        self.recorder.createRecorder(path)
        self.connect()

    def stop_recording(self):
        if self.recorder is not None and self.call is not None and self.call.media is not None:
            self.call.media.stopTransmit(self.recorder)
        self.recorder = None

    def do(self, line):
        word, _, rest = line.strip().partition(" ")
        if word == "quit":
            return False
        if word == "play":
            self.play(rest)
        elif word == "record":
            self.record(rest)
        elif word == "stop-recording":
            self.stop_recording()
        elif word == "call":
            self.call = Call(self)
            self.call.makeCall(rest, pj.CallOpParam(True))
        elif word == "unregister":
            self.account.setRegistration(False)
        elif self.call is None:
            tell("error", what=f"{word}: there is no call")
            return True
        elif word == "answer":
            answer(self.call, 200)
        elif word == "reject":
            answer(self.call, int(rest))
        elif word == "hold":
            self.call.setHold(pj.CallOpParam(True))
        elif word == "resume":
            prm = pj.CallOpParam(True)
            prm.opt.flag = pj.PJSUA_CALL_UNHOLD
            self.call.reinvite(prm)
        elif word == "transfer":
            self.call.xfer(rest, pj.CallOpParam(True))
        elif word == "rfc2833":
            self.call.dialDtmf(rest)
        elif word == "info":
            prm = pj.CallSendDtmfParam()
            prm.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
            prm.duration = 160
            prm.digits = rest
            self.call.sendDtmf(prm)
        elif word == "hangup":
            self.call.hangup(pj.CallOpParam())
        else:
            raise ValueError(f"unknown command {word}")
        tell("done", command=word)
        return True

    def serve(self, done, seconds):
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self.endpoint.libHandleEvents(10)

    def run(self):
        tell("ready")
        waiting, up = b"", True
        os.set_blocking(0, False)
        while up:
            self.endpoint.libHandleEvents(10)
            self.gone.clear()
            if not select.select([0], [], [], 0)[0]:
                continue
            read = os.read(0, 4096)
            if not read:
                break
            waiting += read
            while up and b"\n" in waiting:
                line, waiting = waiting.split(b"\n", 1)
                try:
                    up = self.do(line.decode())
                except pj.Error as error:
                    tell("error", what=f"{line.decode()}: {error.info()}")
        if self.call is not None:
            self.call.hangup(pj.CallOpParam())
            self.serve(lambda: self.call is None, 1.0)
        # The conference bridge closes a recording in its own time.
        self.stop_recording()
        self.serve(lambda: False, 0.2)
        tell("bye")
        # The library's own shutdown waits for answers that a stopped server never gives.
        os._exit(0)


if __name__ == "__main__":
    Phone(json.loads(sys.argv[1])).run()
