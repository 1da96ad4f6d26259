package org.musicdao.app

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.app.Service
import android.content.Context
import android.content.Intent
import android.content.pm.ServiceInfo
import android.graphics.drawable.Icon
import android.media.session.MediaSession
import android.os.Build
import android.os.IBinder
import android.os.PowerManager
import android.util.Log

/** Keeps the process alive and on the lock screen while there is music, whatever else is on the screen. */
class PlaybackService : Service() {
  private lateinit var session: MediaSession
  private lateinit var focus: Focus
  private lateinit var lan: Lan
  private lateinit var awake: PowerManager.WakeLock

  override fun onCreate() {
    super.onCreate()
    focus = Focus(this)
    lan = Lan(this)
    val power = getSystemService(Context.POWER_SERVICE) as PowerManager
    awake = power.newWakeLock(PowerManager.PARTIAL_WAKE_LOCK, "musicdao:playback")
    awake.setReferenceCounted(false)
    session = MediaSession(this, "MusicDAO")
    session.setCallback(Wishes)
    session.setSessionActivity(window())
    session.isActive = true
    val channel = NotificationChannel(CHANNEL, getString(R.string.playback_channel), NotificationManager.IMPORTANCE_LOW)
    notifications().createNotificationChannel(channel)
    running = this
  }

  override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
    intent?.action?.let { Player.tell(it) }
    val now = latest
    if (now == null) stopSelf() else update(now)
    // Without the Rust side there is nothing to come back to.
    return START_NOT_STICKY
  }

  override fun onBind(intent: Intent?): IBinder? = null

  /** The window was swiped away: what sounds goes on, what is silent ends. */
  override fun onTaskRemoved(rootIntent: Intent?) {
    if (latest?.sounds != true) stopSelf()
  }

  override fun onDestroy() {
    running = null
    settle(false)
    session.release()
    super.onDestroy()
  }

  fun update(now: Shown) {
    settle(now.sounds)
    session.setMetadata(now.metadata())
    session.setPlaybackState(now.playbackState())
    val notification = notification(now)
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) {
      startForeground(ID, notification, ServiceInfo.FOREGROUND_SERVICE_TYPE_MEDIA_PLAYBACK)
    } else {
      startForeground(ID, notification)
    }
    if (now.isStopped) {
      stopForeground(STOP_FOREGROUND_REMOVE)
      stopSelf()
    }
  }

  /** Holds what sound needs, and nothing for longer. */
  private fun settle(sounds: Boolean) {
    if (sounds) {
      focus.take()
      lan.open()
      awake.acquire(LONGEST_MS)
    } else {
      focus.give()
      lan.close()
      if (awake.isHeld) awake.release()
    }
  }

  private fun notification(now: Shown): Notification {
    val toggle = if (now.sounds) {
      button(R.string.pause, android.R.drawable.ic_media_pause, "pause")
    } else {
      button(R.string.play, android.R.drawable.ic_media_play, "resume")
    }
    return Notification.Builder(this, CHANNEL)
      .setSmallIcon(R.drawable.ic_playback)
      .setContentTitle(now.title)
      .setContentText(now.artist)
      .setContentIntent(window())
      .setOngoing(now.sounds)
      .setVisibility(Notification.VISIBILITY_PUBLIC)
      .addAction(button(R.string.previous, android.R.drawable.ic_media_previous, "previous"))
      .addAction(toggle)
      .addAction(button(R.string.next, android.R.drawable.ic_media_next, "next"))
      .setStyle(Notification.MediaStyle().setMediaSession(session.sessionToken).setShowActionsInCompactView(0, 1, 2))
      .build()
  }

  private fun button(label: Int, icon: Int, command: String): Notification.Action {
    val intent = Intent(this, PlaybackService::class.java).setAction(command)
    val pending = PendingIntent.getService(this, 0, intent, PendingIntent.FLAG_IMMUTABLE)
    return Notification.Action.Builder(Icon.createWithResource(this, icon), getString(label), pending).build()
  }

  private fun window(): PendingIntent {
    val intent = Intent(this, MainActivity::class.java).setFlags(Intent.FLAG_ACTIVITY_SINGLE_TOP)
    return PendingIntent.getActivity(this, 0, intent, PendingIntent.FLAG_IMMUTABLE)
  }

  private fun notifications() = getSystemService(Context.NOTIFICATION_SERVICE) as NotificationManager

  /** What a headset, a watch, a car or the lock screen asks for. */
  private object Wishes : MediaSession.Callback() {
    override fun onPlay() = Player.tell("resume")
    override fun onPause() = Player.tell("pause")
    override fun onStop() = Player.tell("pause")
    override fun onSkipToNext() = Player.tell("next")
    override fun onSkipToPrevious() = Player.tell("previous")
    override fun onSeekTo(position: Long) = Player.tell("seek", "position_ms" to position)
  }

  companion object {
    private const val TAG = "MusicDAO"
    private const val CHANNEL = "playback"
    private const val ID = 1
    /** Longer than any track: it is renewed with every one. */
    private const val LONGEST_MS = 4 * 60 * 60 * 1000L

    private var running: PlaybackService? = null
    private var latest: Shown? = null

    /** Shows how the player is; the service starts with the first sound. Call it on the main thread. */
    fun show(context: Context, now: Shown) {
      latest = now
      running?.let { return it.update(now) }
      if (!now.sounds) return
      try {
        context.startForegroundService(Intent(context, PlaybackService::class.java))
      } catch (refused: IllegalStateException) {
        // The system lets no service start from behind; the music plays on for as long as the process may live.
        Log.w(TAG, "no foreground service", refused)
      }
    }
  }
}
