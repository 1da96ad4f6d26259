package org.musicdao.app

import android.media.MediaMetadata
import android.media.session.PlaybackState
import app.tauri.plugin.Channel
import app.tauri.plugin.JSObject
import org.json.JSONObject

/** The player, which lives on the Rust side. */
object Player {
  @Volatile var commands: Channel? = null

  /** Sends a command by the name that the Api gives it. */
  fun tell(command: String, vararg arguments: Pair<String, Any>) {
    val words = JSObject()
    words.put("command", command)
    for ((name, value) in arguments) words.put(name, value)
    commands?.send(words)
  }
}

/** What the system shows of the player. */
data class Shown(
  val status: String,
  val title: String,
  val artist: String,
  val release: String,
  val positionMs: Long,
  val durationMs: Long,
) {
  val sounds: Boolean get() = status == "playing" || status == "buffering"
  val isStopped: Boolean get() = status == "stopped"

  fun metadata(): MediaMetadata = MediaMetadata.Builder()
    .putString(MediaMetadata.METADATA_KEY_TITLE, title)
    .putString(MediaMetadata.METADATA_KEY_ARTIST, artist)
    .putString(MediaMetadata.METADATA_KEY_ALBUM, release)
    .putLong(MediaMetadata.METADATA_KEY_DURATION, durationMs)
    .build()

  fun playbackState(): PlaybackState {
    val state = when (status) {
      "playing" -> PlaybackState.STATE_PLAYING
      "buffering" -> PlaybackState.STATE_BUFFERING
      "paused" -> PlaybackState.STATE_PAUSED
      else -> PlaybackState.STATE_STOPPED
    }
    val speed = if (status == "playing") 1f else 0f
    return PlaybackState.Builder().setState(state, positionMs, speed).setActions(ACTIONS).build()
  }

  companion object {
    private const val ACTIONS = PlaybackState.ACTION_PLAY or PlaybackState.ACTION_PAUSE or
      PlaybackState.ACTION_PLAY_PAUSE or PlaybackState.ACTION_STOP or PlaybackState.ACTION_SEEK_TO or
      PlaybackState.ACTION_SKIP_TO_NEXT or PlaybackState.ACTION_SKIP_TO_PREVIOUS

    fun of(state: JSONObject): Shown = Shown(
      status = state.optString("status", "stopped"),
      title = words(state, "title"),
      artist = words(state, "artist"),
      release = state.optJSONObject("current")?.let { words(it, "release_title") } ?: "",
      positionMs = state.optLong("position_ms"),
      durationMs = state.optLong("duration_ms"),
    )

    /** `optString` makes the word "null" of a null. */
    private fun words(from: JSONObject, key: String): String = if (from.isNull(key)) "" else from.optString(key)
  }
}
