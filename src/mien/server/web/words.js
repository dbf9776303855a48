// @ts-check
/** Every sentence of the page, English beside Chinese, so that neither is forgotten. */

/** @type {Record<string, [en: string, zh: string]>} */
export const WORDS = {
  title: ["mien", "mien"],
  skip: ["Skip to the message field", "跳到输入框"],
  presenter: ["Presenter", "数字人"],
  conversation: ["Conversation", "对话"],
  history: ["Messages", "聊天记录"],
  you: ["You", "我"],
  them: ["Presenter", "数字人"],
  interrupted: ["interrupted", "已打断"],
  thinking_dots: ["is thinking", "正在思考"],
  other_language: ["中文", "English"],
  other_language_label: ["切换到中文", "Switch to English"],

  connecting: ["Connecting", "正在连接"],
  live: ["Live", "已连接"],
  reconnecting: ["Reconnecting", "正在重连"],
  offline: ["Offline", "离线"],
  veil_connecting: ["Connecting to the presenter…", "正在连接数字人…"],
  veil_reconnecting: ["The connection dropped. Reconnecting…", "连接中断，正在重新连接…"],
  veil_offline: ["The server cannot be reached. Trying again…", "无法连接服务器，正在重试…"],
  new_session: [
    "The earlier conversation has ended, so a new one was started.",
    "之前的会话已结束，已开始新的会话。",
  ],
  new_divider: ["New conversation", "新的会话"],
  ended_asleep: ["The conversation ended while you were away.", "您离开期间会话已结束。"],

  idle: ["Ready", "就绪"],
  listening: ["Listening", "正在聆听"],
  thinking: ["Thinking", "正在思考"],
  speaking: ["Speaking", "正在说话"],

  tap_for_sound: ["Tap for sound", "点按开启声音"],
  mute: ["Mute", "静音"],
  unmute: ["Turn sound on", "打开声音"],

  who_answers: ["Who is answering", "由谁回答"],
  brain: ["Brain", "大脑"],
  voice: ["Voice", "声音"],
  face: ["Face", "形象"],
  unknown: ["…", "…"],
  brain_none: ["no model connected", "未连接模型"],
  brain_none_text: [
    "Answers come from a small built-in script, not from a language model.",
    "目前由内置的简短脚本回答，没有使用大语言模型。",
  ],
  brain_how: [
    "To connect one, put the provider's key into the environment and name the provider when you start the server, for example:",
    "连接方法：把服务商的密钥放进环境变量，启动服务时写明服务商，例如：",
  ],
  brain_any: [
    "Any OpenAI-compatible service works, also one on your own machine (--llm ollama).",
    "任何兼容 OpenAI 接口的服务都可以，也可以用本机上的模型（--llm ollama）。",
  ],
  brain_text: ["Answers are written by this language model.", "回答由这个大语言模型生成。"],
  voice_text: ["Speaks the answers.", "负责把回答说出来。"],
  face_text: ["The face you see; its lips follow the voice.", "画面中的形象，口型与声音同步。"],
  voices_more: ["Other voices on this server", "本服务器上的其他声音"],
  faces_more: ["Other faces on this server", "本服务器上的其他形象"],
  ready: ["ready", "可用"],
  not_ready: ["not ready", "不可用"],

  welcome_title: ["Say hello", "打个招呼吧"],
  welcome_text: [
    "Type a message, or press the microphone and speak. You can interrupt at any time.",
    "输入文字，或点麦克风直接说话。随时可以打断。",
  ],
  idea_1: ["Please introduce yourself", "请介绍一下你自己"],
  idea_2: ["What can you do?", "你能做什么？"],
  idea_3: ["How do your lips follow your voice?", "你的口型是怎么跟上声音的？"],

  message: ["Message", "消息"],
  placeholder: ["Message…", "输入消息…"],
  placeholder_listening: ["Speak now…", "请说话…"],
  composer_help: [
    "Enter sends, Shift and Enter starts a new line, Escape stops the presenter.",
    "回车发送，Shift 加回车换行，Esc 打断数字人。",
  ],
  send: ["Send", "发送"],
  stop: ["Stop", "停止"],
  counter_left: ["{n} left", "还可输入 {n} 字"],
  counter_over: ["{n} too many", "超出 {n} 字"],

  mic: ["Speak", "语音"],
  mic_on: ["Listening", "聆听中"],
  mic_paused: ["Paused", "已暂停"],
  mic_label: ["Speak with the microphone", "用麦克风说话"],
  mic_label_on: ["Turn the microphone off", "关闭麦克风"],
  headphones: ["I wear headphones", "我戴着耳机"],
  mic_firefox: [
    "Firefox cannot turn speech into text. Please type, or open this page in Edge or Chrome.",
    "Firefox 不支持语音识别。请打字，或用 Edge / Chrome 打开本页。",
  ],
  mic_unsupported: [
    "This browser cannot turn speech into text. Please type, or open this page in Edge or Chrome.",
    "此浏览器不支持语音识别。请打字，或用 Edge / Chrome 打开本页。",
  ],
  mic_insecure: [
    "Browsers allow the microphone only on https:// pages or on localhost. Please type, or open this page by https.",
    "浏览器只允许在 https:// 或 localhost 页面使用麦克风。请打字，或通过 https 打开本页。",
  ],
  mic_denied: [
    "The microphone is blocked for this page. Allow it in the address bar and try again, or type.",
    "麦克风权限被拒绝。请在地址栏中允许使用麦克风后重试，或直接打字。",
  ],
  mic_service: [
    "Speech recognition is switched off in this browser. Please type, or use Edge or Chrome.",
    "此浏览器停用了语音识别服务。请打字，或改用 Edge / Chrome。",
  ],
  mic_missing: ["No microphone was found. Please plug one in, or type.", "没有找到麦克风。请接入麦克风，或直接打字。"],
  mic_network: [
    "The browser's speech service cannot be reached: Chromium and Brave have none, and Chrome's is blocked on networks in mainland China. Please type, or use Edge or Chrome.",
    "无法连接浏览器的语音识别服务：Chromium、Brave 不带此服务，Chrome 的服务在中国大陆网络下不可用。请打字，或改用 Edge（大陆网络）或 Chrome。",
  ],
  mic_language: [
    "This browser does not recognise speech in this language. Please type.",
    "此浏览器不能识别该语言的语音。请打字。",
  ],
  mic_silent: ["Nothing was heard for a while, so the microphone was turned off.", "一段时间没有听到声音，麦克风已关闭。"],

  latency: ["Response time", "响应时间"],
  latency_caption: ["Time since the text was sent, per stage", "从发送文字起，各阶段的用时"],
  latency_note: [
    "Milliseconds since the text arrived; the last row is measured here, from pressing send.",
    "自文字到达服务器起的毫秒数；最后一行由本页测量，从按下发送算起。",
  ],
  llm_first_token: ["Model's first word", "模型首字"],
  first_clause: ["First clause", "首个分句"],
  tts_first_pcm: ["First voice", "首段语音"],
  first_mouth: ["First mouth", "首个口型"],
  first_packet: ["First packet", "首包发出"],
  heard: ["Sound heard", "听到声音"],

  error_network: ["The server cannot be reached. Is it running?", "无法连接服务器，服务是否在运行？"],
  error_generic: ["Something went wrong ({status}).", "出错了（{status}）。"],
  error_token: [
    "This server needs an access token. Open the page with the full link that the server printed.",
    "此服务器需要访问令牌。请用服务器启动时显示的完整链接打开本页。",
  ],
  error_media: [
    "Picture and sound cannot get through. A firewall may block UDP between this browser and the server; a TURN server helps.",
    "画面和声音无法传输。可能是防火墙阻止了浏览器与服务器之间的 UDP，可以配置 TURN 服务器。",
  ],
  error_no_picture: [
    "Connected, but no picture has arrived yet. The server may be busy starting the presenter.",
    "已连接，但还没有收到画面。服务器可能正在启动数字人。",
  ],
  error_no_webrtc: ["This browser has no WebRTC, so it cannot show the presenter.", "此浏览器不支持 WebRTC，无法显示数字人。"],
  dismiss: ["Dismiss", "关闭提示"],
};
