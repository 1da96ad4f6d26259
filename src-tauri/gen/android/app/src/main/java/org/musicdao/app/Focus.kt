package org.musicdao.app

import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.media.AudioAttributes
import android.media.AudioFocusRequest
import android.media.AudioManager

/** Shares the loudspeaker with other apps: pauses for a call, and when the headphones come out. */
class Focus(private val context: Context) {
  private val audio = context.getSystemService(Context.AUDIO_SERVICE) as AudioManager
  private var held = false
  private var pausedForOthers = false

  private val request = AudioFocusRequest.Builder(AudioManager.AUDIOFOCUS_GAIN)
    .setAudioAttributes(
      AudioAttributes.Builder()
        .setUsage(AudioAttributes.USAGE_MEDIA)
        .setContentType(AudioAttributes.CONTENT_TYPE_MUSIC)
        .build(),
    )
    .setOnAudioFocusChangeListener(::changed)
    .build()

  private val headphones = object : BroadcastReceiver() {
    override fun onReceive(context: Context, intent: Intent) {
      if (intent.action == AudioManager.ACTION_AUDIO_BECOMING_NOISY) Player.tell("pause")
    }
  }

  /** Takes the focus; a refusal, as during a call, pauses. */
  fun take() {
    if (held) return
    held = audio.requestAudioFocus(request) == AudioManager.AUDIOFOCUS_REQUEST_GRANTED
    if (!held) return Player.tell("pause")
    pausedForOthers = false
    context.registerReceiver(headphones, IntentFilter(AudioManager.ACTION_AUDIO_BECOMING_NOISY))
  }

  fun give() {
    if (!held) return
    held = false
    context.unregisterReceiver(headphones)
    // Whoever interrupted us hands the focus back; it is asked for again where they do not.
    if (!pausedForOthers) audio.abandonAudioFocusRequest(request)
  }

  private fun changed(change: Int) {
    when (change) {
      AudioManager.AUDIOFOCUS_LOSS -> Player.tell("pause")
      AudioManager.AUDIOFOCUS_LOSS_TRANSIENT -> {
        pausedForOthers = held
        Player.tell("pause")
      }
      AudioManager.AUDIOFOCUS_GAIN -> if (pausedForOthers) {
        pausedForOthers = false
        Player.tell("resume")
      }
    }
  }
}
